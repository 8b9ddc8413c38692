import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise, takewhile
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from torch import nn

from tests.training.small import (
    FOREVER,
    Gate,
    config,
    equal,
    in_step,
    noise,
    of_type,
    raising,
    small_model,
    trained,
    vaeviz_threads,
    watched,
    weights,
)
from vaeviz.data import Dataset
from vaeviz.latent import decode
from vaeviz.models import VAE, DenseVAE
from vaeviz.training import Metrics, Run, TrainingRun, evaluate, kept_steps, load_run, train


def threads_of(run: TrainingRun) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"vaeviz-{run.id}"]


def agrees_with_an_uninterrupted_training(
    run: TrainingRun, data: Dataset, model: VAE | None = None, *, dropout: float = 0.0, **changes: object
) -> bool:
    model = model or small_model(data, dropout=dropout)
    list(train(model, data, config(steps=run.step, **changes)))
    return equal(weights(run.model), weights(model)) and equal(weights(run.snapshot().vae), weights(model))


def in_background(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> bool:
    thread.join(30)
    return not thread.is_alive()


# From ready to finished


def test_a_new_run_is_ready_and_can_already_be_explored(make_run, data):
    run = make_run()
    assert (run.status, run.error, run.step, run.epoch) == ("ready", None, 0, 0.0)
    assert run.metrics_since(0) == ([], 0)
    assert run.steps == [0]
    assert run.snapshot().step == 0
    assert run.snapshot().mu.shape == (len(data), 2)
    assert not threads_of(run)


def test_a_run_trains_to_the_end(make_run):
    run = make_run(epochs=3)
    run.start()
    assert run.status in ("running", "finished")
    assert run.wait(30) == "finished"
    assert (run.status, run.error, run.step, run.epoch) == ("finished", None, 12, 3.0)


def test_it_gives_what_the_loop_gives(make_run, data):
    run = make_run(epochs=3, seed=5)
    run.start()
    run.wait(30)
    events = trained(data, epochs=3, seed=5)[1]
    log, _ = run.metrics_since(0)
    assert [row._replace(seconds=0) for row in log] == [row._replace(seconds=0) for row in of_type(Metrics, events)]
    assert agrees_with_an_uninterrupted_training(run, data, seed=5)


def test_its_thread_is_a_daemon_with_a_name_and_gone_after_the_end(make_run):
    model = small_model(noise())
    gate = Gate(model, 3)
    run = make_run(model)
    run.start()
    assert gate.reached.wait(30)
    (thread,) = threads_of(run)
    assert thread.daemon
    gate.opened.set()
    assert run.wait(30) == "finished"
    assert not threads_of(run)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_its_thread_gives_way_to_a_page_on_the_same_cores(data):
    model = small_model(noise())
    gate = Gate(model, 3)
    run = TrainingRun(model, data, config(), niceness=7)
    run.start()
    assert gate.reached.wait(30)
    (thread,) = threads_of(run)
    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == min(19, here + 7)
    gate.opened.set()
    assert run.wait(30) == "finished"


@pytest.mark.parametrize("niceness", [-1, 20, 1.5, "nice"])
def test_a_niceness_that_does_not_exist_is_refused(data, niceness):
    with pytest.raises(ValueError, match=r"^niceness=.*: must be a whole number from 0 to 19$"):
        TrainingRun(small_model(data), data, config(), niceness=niceness)


def test_starting_twice_is_refused(make_run):
    run = make_run(steps=FOREVER)
    run.start()
    with pytest.raises(RuntimeError, match=r"was started before \(it is running\); make a new TrainingRun"):
        run.start()
    run.stop()
    with pytest.raises(RuntimeError, match=r"\(it is stopped\)"):
        run.start()


def test_a_run_whose_thread_cannot_be_made_is_still_ready(make_run, monkeypatch):
    run = make_run()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError, match="can't start"):
            run.start()
    assert run.status == "ready"
    run.start()
    assert run.wait(30) == "finished"


def test_what_does_not_fit_is_refused_before_anything_is_started(data):
    with pytest.raises(ValueError, match=r"^batch_size=51"):
        TrainingRun(small_model(data), data, config(batch_size=51))
    with pytest.raises(ValueError, match=r"^device='abacus'"):
        TrainingRun(small_model(data), data, config(device="abacus"))
    with pytest.raises(ValueError, match=r"^the model does not fit images of shape \(1, 4, 5\)"):
        TrainingRun(DenseVAE((1, 8, 8), (4,)), data, config())


def test_it_is_a_run(make_run):
    assert isinstance(make_run(), Run)


def test_every_run_has_an_id_of_its_own(make_run):
    assert make_run().id != make_run().id


def test_its_repr_tells_model_data_status_and_step(make_run):
    run = make_run(steps=1200)
    assert repr(run) == "TrainingRun(dense 16-2 on noise: ready, step 0 of 1,200)"
    run.start()
    run.wait(30)
    assert repr(run) == "TrainingRun(dense 16-2 on noise: finished, step 1,200 of 1,200)"


# Pause and resume


def test_a_pause_halts_the_training_where_it_is(make_run, eventually):
    run = make_run(steps=FOREVER)
    run.start()
    eventually(lambda: run.step > 3)
    run.pause()
    step, rows = run.step, len(run.metrics_since(0)[0])
    assert run.status == "paused"
    assert run.snapshot().step == step
    assert equal(weights(run.snapshot().vae), weights(run.model))
    threading.Event().wait(0.05)  # time enough for many a step
    assert (run.status, run.step, len(run.metrics_since(0)[0])) == ("paused", step, rows)
    assert run.examples_per_second == 0


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_training_that_was_paused_is_equal_to_the_bit_to_one_that_was_not(make_run, data, eventually, dropout):
    run = make_run(small_model(data, dropout=dropout), steps=FOREVER)
    run.start()
    for _ in range(3):
        before = run.step
        eventually(lambda before=before: run.step > before + 3)
        run.pause()
        paused = run.step
        run.resume()
        assert run.status == "running"
        assert run.step >= paused
    eventually(lambda: run.step > paused)
    run.stop()
    assert agrees_with_an_uninterrupted_training(run, data, dropout=dropout)


def test_the_time_of_a_pause_is_not_counted_as_training(make_run, monkeypatch):
    run = make_run(steps=FOREVER)
    skipped = []
    monkeypatch.setattr(run._budget, "skip", skipped.append)
    run.start()
    run.pause()
    assert not skipped
    assert run.wait(0.05) == "paused"
    run.resume()
    assert len(skipped) == 1
    assert skipped[0] >= 0.05


def test_pause_has_no_effect_unless_running(make_run):
    run = make_run()
    run.pause()
    assert run.status == "ready"
    run.start()
    run.wait(30)
    run.pause()
    assert run.status == "finished"


def test_pausing_twice_is_pausing_once(make_run):
    run = make_run(steps=FOREVER)
    run.start()
    run.pause()
    step = run.step
    run.pause()
    assert (run.status, run.step) == ("paused", step)
    run.resume()
    assert run.status == "running"


def test_resume_has_no_effect_unless_paused(make_run):
    run = make_run(steps=FOREVER)
    run.resume()
    assert run.status == "ready"
    run.start()
    run.resume()
    assert run.status == "running"
    run.stop()
    run.resume()
    assert run.status == "stopped"


@pytest.mark.parametrize("ask", [TrainingRun.pause, TrainingRun.stop])
def test_a_wish_in_the_last_step_finds_the_run_finished(make_run, data, eventually, ask):
    model = small_model(data)
    gate = Gate(model, 5)
    run = make_run(model, steps=5)
    run.start()
    assert gate.reached.wait(30)
    asker = in_background(lambda: ask(run))
    eventually(lambda: run._wish != "run")  # no reader can see a wish
    gate.opened.set()
    assert ended(asker)
    assert run.wait(30) == "finished"
    assert run.step == run.snapshot().step == 5


# Stop


def test_stop_ends_the_training_and_keeps_the_step_it_stopped_at(make_run, data, eventually):
    run = make_run(steps=FOREVER)
    run.start()
    eventually(lambda: run.step > 10)
    run.stop()
    assert run.status == "stopped"
    assert run.error is None
    assert not threads_of(run)
    assert run.snapshot().step == run.step == run.steps[-1]
    assert run.snapshot(run.step) is run.snapshot()
    assert agrees_with_an_uninterrupted_training(run, data)


def test_a_paused_run_can_be_stopped(make_run, data):
    run = make_run(steps=FOREVER)
    run.start()
    run.pause()
    step = run.step
    run.stop()
    assert (run.status, run.step, run.snapshot().step, run.steps[-1]) == ("stopped", step, step, step)
    assert not threads_of(run)
    assert agrees_with_an_uninterrupted_training(run, data)


def test_a_run_stopped_before_its_start_never_trains(make_run, data):
    run = make_run()
    run.stop()
    assert (run.status, run.step, run.steps) == ("stopped", 0, [0])
    with pytest.raises(RuntimeError, match="it is stopped"):
        run.start()
    assert equal(weights(run.snapshot().vae), weights(small_model(data)))


def test_a_run_stopped_at_once_after_its_start_ends(make_run, data):
    run = make_run(steps=FOREVER)
    run.start()
    run.stop()
    assert run.status == "stopped"
    assert run.snapshot().step == run.step == run.steps[-1]
    assert agrees_with_an_uninterrupted_training(run, data)


def test_a_stop_that_comes_within_a_step_ends_soon_after_it_with_a_snapshot(make_run, data, eventually):
    model = small_model(data)
    gate = Gate(model, 5)  # not a kept step
    run = make_run(model, steps=FOREVER)
    run.start()
    assert gate.reached.wait(30)
    stopper = in_background(run.stop)
    eventually(lambda: run._wish == "stop")  # no reader can see a wish
    assert run.status == "running"
    gate.opened.set()
    assert ended(stopper)
    assert (run.status, run.step, run.steps) == ("stopped", 5, [0, 1, 2, 3, 4, 5])
    assert agrees_with_an_uninterrupted_training(run, data, watched(small_model(data)))


@pytest.mark.parametrize(("ask", "status"), [(TrainingRun.pause, "paused"), (TrainingRun.stop, "stopped")])
def test_a_wish_too_late_for_a_snapshot_of_its_step_is_granted_after_the_next(make_run, eventually, ask, status):
    run = make_run(steps=FOREVER)
    wants, reached, opened = run._wants, threading.Event(), threading.Event()

    def decide_before_the_wish(step: int) -> bool:
        if step != 9:
            return wants(step)
        reached.set()
        return not opened.wait(30)

    run._wants = decide_before_the_wish
    run.start()
    assert reached.wait(30)
    asker = in_background(lambda: ask(run))
    eventually(lambda: run._wish != "run")  # no reader can see a wish
    opened.set()
    assert ended(asker)
    assert (run.status, run.step, run.snapshot().step) == (status, 10, 10)


def test_stopping_twice_is_stopping_once(make_run):
    run = make_run(steps=FOREVER)
    run.start()
    run.stop()
    step = run.step
    run.stop()
    assert (run.status, run.step) == ("stopped", step)


def test_a_finished_run_stays_finished(make_run):
    run = make_run()
    run.start()
    run.wait(30)
    run.stop()
    assert run.status == "finished"


# Wait


def test_waiting_for_a_run_that_was_not_started_returns_at_once(make_run):
    assert make_run().wait() == "ready"


def test_waiting_returns_when_the_time_is_up(make_run):
    run = make_run(steps=FOREVER)
    run.start()
    assert run.wait(0.01) == "running"
    run.pause()
    assert run.wait(timeout=0.01) == "paused"


def test_waiting_ends_when_another_stops_the_run(make_run):
    run = make_run(steps=FOREVER)
    run.start()
    seen = []
    waiter = in_background(lambda: seen.append(run.wait()))
    run.stop()
    assert ended(waiter)
    assert seen == ["stopped"]


# Failure


@pytest.mark.parametrize("error", [ValueError("boom"), KeyError("boom"), SystemExit("boom")], ids=repr)
def test_an_error_in_training_is_told_and_what_was_learned_before_is_kept(make_run, data, error):
    model = small_model(data)
    in_step(model.decoder, 6, raising(error))
    run = make_run(model, steps=FOREVER)
    run.start()
    assert run.wait(30) == "failed"
    assert run.error == f"{type(error).__name__}: {error}"
    assert run.exception is error
    assert run.exception.__traceback__ is not None
    assert run.step == 5
    assert run.steps == [0, 1, 2, 3, 4]
    assert np.isfinite(decode(run.snapshot().vae, np.zeros((3, 2), np.float32))).all()


def test_a_failed_run_does_not_hold_up_who_pauses_resumes_stops_or_waits(make_run, data):
    model = small_model(data)
    in_step(model.decoder, 2, raising(ValueError("boom")))
    run = make_run(model, steps=FOREVER)
    run.start()
    run.pause()
    run.resume()
    run.stop()
    assert run.wait() == "failed"
    assert not threads_of(run)


def test_who_pauses_while_the_training_fails_is_not_left_waiting(make_run, data, eventually):
    model = small_model(data)
    gate = Gate(model, 5)
    in_step(model.decoder, 5, raising(ValueError("boom")))
    run = make_run(model, steps=FOREVER)
    run.start()
    assert gate.reached.wait(30)
    pauser = in_background(run.pause)
    eventually(lambda: run._wish == "pause")  # no reader can see a wish
    gate.opened.set()
    assert ended(pauser)
    assert run.wait(30) == "failed"


def test_a_training_that_diverges_fails_with_step_and_term(make_run, data):
    model = small_model(data)
    in_step(model.decoder, 5, lambda logits: logits * torch.nan)
    run = make_run(model, steps=FOREVER, log_every=1)
    run.start()
    assert run.wait(30) == "failed"
    assert run.error.startswith("TrainingDivergedError: the reconstruction is nan at step 5: try a smaller")
    assert run.snapshot().step == 4
    assert all(torch.isfinite(value).all() for value in run.snapshot().weights.values())
    assert all(np.isfinite(row[3:]).all() for row in run.metrics_since(0)[0])


# Readers


def test_the_kept_steps_are_0_the_powers_of_the_square_root_of_2_and_the_last(make_run):
    run = make_run(steps=50)
    run.start()
    run.wait(30)
    assert run.steps == [0, *takewhile(lambda step: step < 50, kept_steps()), 50]
    assert [run.snapshot(step).step for step in run.steps] == run.steps
    assert run.snapshot().step == 50


def test_all_snapshots_of_a_run_embed_the_same_examples(make_run):
    run = make_run(steps=20)
    run.start()
    run.wait(30)
    assert all(np.array_equal(run.snapshot(step).ids, run.snapshot(0).ids) for step in run.steps)
    assert all(run.snapshot(step).mu.shape == run.snapshot(0).mu.shape for step in run.steps)


def test_snapshot_0_is_the_untrained_model(make_run, data):
    run = make_run()
    run.start()
    run.wait(30)
    assert equal(weights(run.snapshot(0).vae), weights(small_model(data)))


@pytest.mark.parametrize("step", [5, -1, 9, 10**9])
def test_a_step_that_is_not_kept_is_refused_in_words(make_run, step):
    run = make_run(steps=8)
    run.start()
    run.wait(30)
    with pytest.raises(ValueError, match=rf"^step={step}: no snapshot of that step is kept; take one of run\.steps"):
        run.snapshot(step)


def test_the_newest_snapshot_follows_the_training(make_run, eventually):
    run = make_run(steps=FOREVER)
    run.start()
    eventually(lambda: run.snapshot().step > 100 and run.snapshot().step not in run.steps)


def test_two_readers_with_cursors_of_their_own_both_see_every_row(make_run):
    run = make_run(steps=300, log_every=1)

    def read() -> list[Metrics]:
        rows, cursor = [], 0
        while True:
            over = run.status == "finished"
            new, cursor = run.metrics_since(cursor)
            rows += new
            if over:
                return rows

    with ThreadPoolExecutor(2) as readers:
        run.start()
        one, two = (readers.submit(read) for _ in range(2))
        assert one.result(30) == two.result(30) == run.metrics_since(0)[0]
    rows = one.result()
    assert [row.step for row in rows if row.split == "train"] == list(range(1, 301))
    assert [row.step for row in rows if row.split == "validation"] == list(range(0, 301, 4))


def test_rows_can_be_read_while_it_trains(make_run, eventually):
    run = make_run(steps=FOREVER, log_every=1)
    run.start()
    cursor = 0
    for _ in range(5):
        eventually(lambda cursor=cursor: run.metrics_since(cursor)[0])
        rows, cursor = run.metrics_since(cursor)
        assert all(a.step <= b.step for a, b in pairwise(rows))
    assert run.status == "running"


def test_speed_is_measured_while_it_runs(make_run, eventually):
    run = make_run(steps=FOREVER)
    assert run.examples_per_second == 0
    run.start()
    eventually(lambda: run.examples_per_second > 0)
    run.stop()
    assert run.examples_per_second == 0


def test_the_share_of_snapshots_is_measured(make_run):
    run = make_run(steps=300)
    assert run.snapshot_share == 0
    run.start()
    run.wait(30)
    assert 0 < run.snapshot_share < 1
    assert run.snapshot_interval >= 0.25


def test_the_last_validation_row_is_that_of_the_last_snapshot(make_run, data):
    run = make_run(epochs=2)
    run.start()
    run.wait(30)
    row = [row for row in run.metrics_since(0)[0] if row.split == "validation"][-1]
    assert evaluate(run.snapshot().vae, data, "validation", run.config).loss == row.loss


def test_two_runs_at_once_do_not_disturb_each_other(make_run, data):
    runs = [make_run(small_model(data, dropout=0.3), seed=seed, steps=60) for seed in (1, 2)]
    for run in runs:
        run.start()
    for seed, run in zip((1, 2), runs, strict=True):
        assert run.wait(30) == "finished"
        assert agrees_with_an_uninterrupted_training(run, data, dropout=0.3, seed=seed)


def test_any_two_modules_can_be_trained(make_run):
    model = VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(20, 6)), nn.Sequential(nn.Linear(3, 20), nn.Unflatten(1, (1, 4, 5))), 3
    )
    run = make_run(model)
    run.start()
    assert run.wait(30) == "finished"
    assert run.snapshot().mu.shape[1] == 3


# Many at once, in any order


def test_many_threads_may_pause_resume_and_stop_at_once(make_run, data):
    run = make_run(steps=FOREVER)
    run.start()

    def meddle(seed: int) -> None:
        random = Random(seed)
        for _ in range(30):
            random.choice((run.pause, run.resume))()
            assert run.status in ("running", "paused")
            assert run.snapshot().step in range(run.step + 2)

    with ThreadPoolExecutor(8) as meddlers:
        for meddling in [meddlers.submit(meddle, seed) for seed in range(8)]:
            meddling.result(60)
        asked = [meddlers.submit(ask) for ask in [run.stop, run.pause, run.resume] * 4]
        for each in asked:
            each.result(60)
    assert run.status == "stopped"
    assert run.snapshot().step == run.step == run.steps[-1]
    assert agrees_with_an_uninterrupted_training(run, data)


def test_who_pauses_is_not_left_waiting_when_another_resumes_at_once(make_run):
    run = make_run(steps=FOREVER)
    run.start()
    for _ in range(50):
        with run._changed:  # first in the queue: awake before the pauser
            pauser = in_background(run.pause)
            run._changed.wait_for(lambda: run.status == "paused", 30)
            run.resume()
        assert ended(pauser)


def test_of_many_threads_that_start_a_run_one_does(make_run):
    run = make_run(steps=FOREVER)

    def start() -> bool:
        try:
            run.start()
        except RuntimeError:
            return False
        return True

    with ThreadPoolExecutor(8) as starters:
        assert sum(starters.map(lambda _: start(), range(8))) == 1
    assert len(threads_of(run)) == 1


NOISE = noise()


class AnyOrder(RuleBasedStateMachine):
    """Whatever a person does, in whatever order: no call hangs, and the run is where it should be."""

    @initialize(steps=st.sampled_from([1, 2, 40, FOREVER, FOREVER]))
    def make(self, steps: int) -> None:
        self.run = TrainingRun(small_model(NOISE), NOISE, config(steps=steps))
        self.last, self.cursor, self.rows = 0, 0, []

    @rule()
    def start(self) -> None:
        if self.run.status == "ready":
            self.run.start()
            assert self.run.status in ("running", "finished")
        else:
            with pytest.raises(RuntimeError, match="was started before"):
                self.run.start()

    @rule()
    def pause(self) -> None:
        before = self.run.status
        self.run.pause()
        assert self.run.status in (("paused", "finished") if before == "running" else (before,))

    @rule()
    def resume(self) -> None:
        before = self.run.status
        self.run.resume()
        allowed = {"paused": ("running", "finished"), "running": ("running", "finished")}
        assert self.run.status in allowed.get(before, (before,))

    @rule()
    def stop(self) -> None:
        before = self.run.status
        self.run.stop()
        allowed = {"ready": ("stopped",), "paused": ("stopped",), "running": ("stopped", "finished")}
        assert self.run.status in allowed.get(before, (before,))
        assert not threads_of(self.run)

    @rule(seconds=st.sampled_from([0, 0.005, 0.02]))
    def wait(self, seconds: float) -> None:
        assert self.run.wait(seconds) == self.run.status or self.run.wait() == "finished"

    @rule()
    def read(self) -> None:
        rows, self.cursor = self.run.metrics_since(self.cursor)
        self.rows += rows
        assert [row.step for row in self.rows] == sorted(row.step for row in self.rows)

    @invariant()
    def it_is_consistent(self) -> None:
        status, step, steps = self.run.status, self.run.step, self.run.steps
        assert step >= self.last
        assert steps[0] == 0
        assert all(a < b for a, b in pairwise(steps))
        if status in ("ready", "paused", "stopped", "finished"):
            assert self.run.snapshot().step == self.run.step
        if status in ("stopped", "finished"):
            assert steps[-1] == step
        self.last = step

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.stop()
            assert self.run.step == 0 or agrees_with_an_uninterrupted_training(self.run, NOISE)
        assert not vaeviz_threads()


AnyOrder.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = pytest.mark.timeout(120)(AnyOrder.TestCase)


# On the accelerator


@pytest.mark.gpu
def test_a_run_on_cuda_gives_snapshots_on_the_cpu(make_run):
    run = make_run(device="cuda", steps=40)
    run.start()
    assert run.wait(60) == "finished"
    parameters = chain.from_iterable(run.snapshot(step).vae.parameters() for step in run.steps)
    assert {p.device.type for p in parameters} == {"cpu"}
    assert run.device.type == "cuda"
    assert np.isfinite(run.snapshot().mu).all()


ENDS_IN_TRAINING = """
import sys, time
import vaeviz as vz

data = vz.load_dataset("digits")
run = vz.TrainingRun(vz.DenseVAE(data.image_shape), data, vz.TrainConfig(steps=10**7), folder=sys.argv[1])
run.start()
while run.step < 20:
    time.sleep(0.01)
"""


def test_a_program_that_ends_while_it_trains_saves_the_run_and_is_not_aborted(tmp_path: Path):
    subprocess.run([sys.executable, "-c", ENDS_IN_TRAINING, str(tmp_path)], check=True)
    saved = load_run(tmp_path)
    assert saved.status == "stopped"
    assert saved.step >= 20
