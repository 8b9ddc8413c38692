"""The runs of this process: they belong to it and not to a browser tab, so that a reload finds them again."""

from collections import OrderedDict

from vaeviz.training import TrainingRun

MOST_ENDED = 8
"""Runs that have ended, or never began, that are kept for those who come back to their address."""

_runs: OrderedDict[str, TrainingRun] = OrderedDict()


def register_run(run: TrainingRun) -> TrainingRun:
    """Let a run be found by its id, as long as it trains and is among the last few."""
    _runs[run.id] = run
    resting = [known.id for known in _runs.values() if known.status not in ("running", "paused")]
    for run_id in resting[:-MOST_ENDED]:
        del _runs[run_id]
    return run


def find_run(run_id: str) -> TrainingRun | None:
    """Return the run of that id, or None if it is not known (any more)."""
    run = _runs.get(run_id)
    if run is not None:
        _runs.move_to_end(run_id)
    return run
