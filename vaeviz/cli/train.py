"""Training in a terminal: a progress bar, saves, and signals that end it well."""

import argparse
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from vaeviz.cli.options import config_given, config_of, model_given, option
from vaeviz.data import load_dataset
from vaeviz.training import (
    LostRankError,
    Metrics,
    Ranks,
    TrainingDivergedError,
    TrainingRun,
    join_ranks,
    resume_run,
)

LOOK = 0.2
"""Seconds between two looks at the run."""


def train_in_terminal(options: argparse.Namespace) -> int:
    """Train as the options say; return the exit status.

    Raises
    ------
    ValueError, OSError
        In words, before the training begins.
    """
    with join_ranks() as ranks:
        try:
            with ranks.together():
                run = _resumed(options, ranks) if options.resume else _new(options, ranks)
        except (ValueError, OSError, RuntimeError):
            if ranks.first:
                raise
            ranks.end()  # which is when rank 0 is gone, having said why: a launcher ends the others when one is gone
            return 1
        return _tell(run, options) if ranks.first else _help(run)


def _tell(run: TrainingRun, options: argparse.Namespace) -> int:
    """Train, and say how it goes."""
    processes = "" if run.ranks.size == 1 else f", by {run.ranks.size} processes"
    print(f"{run!r}{processes}\nexplore it: python -m vaeviz explore {shlex.quote(options.out)}", flush=True)
    with ExitStack() as stack:
        signals = stack.enter_context(_signals())
        board = stack.enter_context(_tensorboard(Path(options.out))) if options.tensorboard else None
        run.start()
        _watch(run, signals, board, quiet=options.quiet)
        return _end(run, signals, options.out)


def _help(run: TrainingRun) -> int:
    """Train as a rank other than the first: silent, but for an error that the first can't know."""
    with _signals() as signals:
        run.start()
        _watch(run, signals, None, quiet=True)
        if run.status == "failed":
            if not isinstance(run.exception, LostRankError | TrainingDivergedError):
                print(f"vaeviz: rank {run.ranks.rank} failed at step {run.step:,}: {run.error}", file=sys.stderr)
            return 1
        return 128 + signals[0] if signals else 0


def _new(options: argparse.Namespace, ranks: Ranks) -> TrainingRun:
    config = config_of(options)
    kind, arguments = model_given(options)
    data = load_dataset(options.data)
    model = kind(data.image_shape, **arguments, generator=torch.Generator().manual_seed(config.seed))
    try:
        saving = {"folder": options.out, "save_every": options.save_every, "live": True}
        return TrainingRun(model, data, config, niceness=0, ranks=ranks, **saving)  # there is no page on these cores
    except ValueError as error:
        raise ValueError(f"{error}; or go on with it: --resume") if "holds a run" in str(error) else error from None


def _resumed(options: argparse.Namespace, ranks: Ranks) -> TrainingRun:
    given = config_given(options)
    ends = {name: given.pop(name) for name in ("epochs", "steps", "device") if name in given}
    _, arguments = model_given(options)
    for name in (*given, *arguments):
        raise ValueError(
            f"{option(name)}: a run is resumed as it was configured; only another end or device can be given"
        )
    return resume_run(options.out, save_every=options.save_every, live=True, niceness=0, ranks=ranks, **ends)


def _watch(run: TrainingRun, signals: list[int], board: Any, *, quiet: bool) -> None:
    """Show how the run goes until it ends, or until a signal asks it to."""
    cursor = 0
    rows: dict[str, Metrics] = {}
    with tqdm(
        total=run.total_steps, initial=run.step, unit="step", disable=quiet, dynamic_ncols=True, file=sys.stderr
    ) as bar:
        while True:
            ended = run.wait(LOOK) not in ("running", "paused")
            new, cursor = run.metrics_since(cursor)
            rows |= {row.split: row for row in new}
            bar.update(run.step - bar.n)
            bar.set_postfix_str(_words(rows), refresh=False)
            if board is not None:
                _write(board, new)
            if ended:
                return
            if signals:
                run.stop()


def _words(rows: dict[str, Metrics]) -> str:
    return ", ".join(
        f"{split} {row.loss:.2f} = {row.reconstruction:.2f} + {row.kl:.2f} KL"
        for split, row in sorted(rows.items())
        if split != "test"
    )


def _end(run: TrainingRun, signals: list[int], out: str) -> int:
    rows, _ = run.metrics_since(0)
    last = {row.split: row for row in rows}
    for split, row in last.items():
        print(f"{split} {row.loss:.2f} nats = reconstruction {row.reconstruction:.2f} + KL {row.kl:.2f}")
    again = f"python -m vaeviz train --out {shlex.quote(out)} --resume"
    if run.save_error is not None:
        print(f"vaeviz: {run.save_error}", file=sys.stderr)
    if run.status == "failed":
        saved = "" if run.saved_at_step is None else f"; the save of step {run.saved_at_step:,} is there: {again}"
        print(f"vaeviz: training failed at step {run.step:,}: {run.error}{saved}", file=sys.stderr)
        return 1
    if run.status == "stopped":
        print(f"stopped at step {run.step:,} of {run.total_steps:,}, saved in {out}; go on: {again}")
        return 128 + signals[0] if signals else 1
    print(f"finished, saved in {out}")
    return 0 if run.save_error is None else 1


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Gather the signals that ask for the end; a second one has its usual effect."""
    seen: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: object) -> None:
        seen.append(number)
        signal.signal(number, before[number])

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, note)
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _tensorboard(out: Path) -> Iterator[Any]:
    """Write scalars for TensorBoard.

    Raises
    ------
    ValueError
        If TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError("--tensorboard needs the package tensorboard: pip install tensorboard") from None
    writer = SummaryWriter(out / "tensorboard")
    try:
        yield writer
    finally:
        writer.close()


def _write(board: Any, rows: list[Metrics]) -> None:
    for row in rows:
        for term in ("loss", "reconstruction", "kl"):
            board.add_scalar(f"{term}/{row.split}", getattr(row, term), row.step)
    if rows:
        board.flush()
