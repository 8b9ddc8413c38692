"""Training in several processes: what each does, and two real ones (see together.py)."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from tests.training.small import config, noise, small_model
from tests.training.together import CASES, resumed, rows_and_weights, with_dropout
from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training import Ranks, TrainingRun, evaluate, join_ranks, load_run, resume_run, train
from vaeviz.training.loop import Trainer
from vaeviz.training.parallel import ALONE, _Group

ROOT = Path(__file__).parents[2]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Shares


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_every_example_of_a_batch_is_in_one_share_and_the_shares_are_nearly_equal(size: int):
    for count in range(size, 40):
        shares = [Ranks(rank, size).share(count) for rank in range(size)]
        rows = [list(range(count))[share.rows] for share in shares]
        assert list(chain(*rows)) == list(range(count))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1
        assert [share.weight for share in shares] == [len(each) / count for each in rows]
        assert {share.part for share in shares} == {1.0}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_means_and_sums_of_shares_come_together_to_those_of_the_batch(size: int):
    for count in range(1, 20):
        values = torch.rand(count, generator=seeded(count), dtype=torch.float64)
        shares = [Ranks(rank, size).share(count) for rank in range(size)]
        mean = sum(values[share.rows].mean() * share.weight for share in shares)
        total = sum(values[share.rows].sum() * share.part for share in shares)
        assert mean == pytest.approx(float(values.mean()))
        assert total == pytest.approx(float(values.sum()))


DRAWS: dict[str, Callable[[int, torch.Generator], Tensor]] = {
    "randn of a shape": lambda count, source: torch.randn((count, 3), generator=source),
    "randn of a size": lambda count, source: torch.randn(torch.Size([count, 3, 2]), generator=source),
    "randn of numbers": lambda count, source: torch.randn(count, 3, generator=source, dtype=torch.float64),
    "rand": lambda count, source: torch.rand(count, 5, generator=source),
    "bernoulli_": lambda count, source: torch.empty(count, 4).bernoulli_(0.3, generator=source),
    "normal_": lambda count, source: torch.empty(count, 2, 2).normal_(generator=source),
    "uniform_": lambda count, source: torch.empty(count).uniform_(1, 2, generator=source),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("count", [2, 7, 16])
def test_each_rank_draws_its_rows_of_what_one_process_draws(draw: Callable[..., Tensor], count: int):
    alone = seeded()
    whole, after = draw(count, alone), draw(count, alone)
    generators = [seeded(), seeded()]
    for expected in (whole, after):  # their generators stay alike, however unequal the shares
        rows = []
        for rank, source in enumerate(generators):
            ranks = Ranks(rank, 2)
            share = ranks.share(count)
            with ranks.drawing(source, share):
                rows.append(draw(share.rows.stop - share.rows.start, source))
        assert torch.equal(torch.cat(rows), expected)


def test_what_is_not_drawn_for_a_batch_from_its_generator_is_left_alone():
    ranks, source, other = Ranks(1, 2), seeded(), seeded(1)
    with ranks.drawing(source, ranks.share(8)):
        mine = [torch.randn(3, 4, generator=source), torch.randn((4, 2), generator=other), torch.ones(4).sum()]
    assert torch.equal(mine[0], torch.randn(3, 4, generator=seeded()))
    assert torch.equal(mine[1], torch.randn((4, 2), generator=seeded(1)))
    assert mine[2] == 4


def test_alone_all_is_as_it_was():
    with join_ranks() as ranks:
        assert ranks is ALONE
    share = ranks.share(7)
    gradient, sums = torch.ones(3), torch.ones(3)
    ranks.combine(share, [gradient], sums)
    ranks.total(sums)
    assert (share.weight, share.part, list(range(7))[share.rows]) == (1, 1, list(range(7)))
    assert torch.equal(torch.cat([gradient, sums]), torch.ones(6))
    assert (ranks.agree(3, True), ranks.agree(10, False)) == (True, False)


# What is refused


def test_a_batch_that_is_smaller_than_the_ranks_is_refused_in_words(data: Dataset):
    for begin in (TrainingRun, lambda *arguments, ranks: next(train(*arguments, ranks=ranks))):
        with pytest.raises(ValueError, match=r"^batch_size=3: it is shared by 4 processes; take a batch of at least"):
            begin(small_model(data), data, config(batch_size=3), ranks=Ranks(1, 4))


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., _Group]:
    """Make a machine of so many GPUs and processes; return the last of its processes."""

    def machine(gpus: int, processes: int, *, mps: bool = False) -> _Group:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        monkeypatch.setenv("LOCAL_RANK", str(processes - 1))
        return _Group(5, 6)

    return machine


def test_each_rank_takes_the_gpu_of_its_local_rank(gpus: Callable[..., _Group]):
    for name in ("auto", "cuda"):
        assert gpus(2, 2).device(name) == torch.device("cuda", 1)
        assert gpus(4, 1).device(name) == torch.device("cuda", 0)
    assert gpus(4, 1).device("cuda:3") == torch.device("cuda", 3)
    assert gpus(4, 2).device("cpu") == torch.device("cpu")
    for mps in (True, False):
        assert gpus(0, 2, mps=mps).device("auto") == torch.device("cpu")


@pytest.mark.parametrize(
    ("machine", "name", "told"),
    [
        ((1, 2), "cuda", "device='cuda': there are 1 GPUs for 2 processes on this machine; start as many"),
        ((1, 2), "auto", "device='cuda': there are 1 GPUs for 2 processes"),
        ((2, 2), "cuda:1", "device='cuda:1': each of 2 processes here takes a GPU of its own; take 'cuda'"),
        ((0, 2), "cuda", "device='cuda': this machine has only"),
        ((0, 2), "mps", "device='mps': several processes train together on CUDA or the CPU; take 'cpu'"),
    ],
)
def test_devices_that_are_not_there_for_each_are_refused_in_words(gpus, machine, name: str, told: str):
    with pytest.raises(ValueError, match=f"^{told}"):
        gpus(*machine, mps=True).device(name)


# Two real processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let two processes do what together.py says; what they saw is in the folder."""
    folder = tmp_path_factory.mktemp("together")
    launcher = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "tests.training.together", str(folder)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        told, _ = launcher.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        for process in [*psutil.Process(launcher.pid).children(recursive=True), launcher]:
            process.kill()
        raise
    assert launcher.returncode == 0, told
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> list[dict[str, Any]]:
    """What rank 0 saw, and rank 1."""
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def close(some: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    """See that weights agree to rounding: Adam carries it into steps of 1e-3, where a gradient is nearly 0."""
    for name, value in some.items():
        torch.testing.assert_close(value, others[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_losses_and_weights_of_one(seen: list[dict[str, Any]], case: str):
    expected, weights = rows_and_weights(case)
    rel = 1e-2 if case == "bf16" else 1e-6
    for rows, theirs in (each[case] for each in seen):
        assert [row[:3] for row in rows] == [row[:3] for row in expected]
        for row, single in zip(rows, expected, strict=True):
            assert row[3:6] == pytest.approx(single[3:6], rel=rel)
        if case != "bf16":
            close(theirs, weights)


def test_the_ranks_stay_equal_to_the_bit(seen: list[dict[str, Any]]):
    for case in CASES:
        (rows, weights), (others, theirs) = (each[case] for each in seen)
        assert [row[:6] for row in rows] == [row[:6] for row in others]
        assert all(torch.equal(value, theirs[name]) for name, value in weights.items())


def test_two_processes_go_on_from_the_state_of_one(seen: list[dict[str, Any]]):
    for each in seen:
        close(each["resumed"], resumed())


def test_shares_of_a_split_are_evaluated_to_one_answer(seen: list[dict[str, Any]]):
    make, data, settings = CASES["ragged"]
    alone = evaluate(make(data), data, "validation", settings)
    for each in seen:
        assert each["evaluated"][3:6] == pytest.approx(alone[3:6], rel=1e-6)


def test_all_begin_with_the_weights_of_rank_0(seen: list[dict[str, Any]]):
    _, weights = rows_and_weights("plain")
    for each in seen:
        close(each["other weights"], weights)


def test_the_wish_of_one_ends_all_after_the_same_step_with_a_snapshot(seen: list[dict[str, Any]]):
    assert [each["wish"] for each in seen] == [(20, 20)] * 2


def test_a_loss_that_is_nan_on_one_ends_all_with_the_same_sentence(seen: list[dict[str, Any]]):
    one, two = (each["nan"] for each in seen)
    assert one == two
    assert one.startswith("TrainingDivergedError: ")


def test_other_options_or_data_are_refused_on_all_in_words(seen: list[dict[str, Any]]):
    for each in seen:
        assert each["other options"] == (
            "ValueError: beta: rank 1 has 2.0, but rank 0 has 1.0;"
            " start every process with the same options and data"
        )  # fmt: skip
        assert each["other data"].startswith("ValueError: data: rank 1 has 75 images of checksum ")


def test_what_one_can_not_do_none_does(seen: list[dict[str, Any]]):
    assert seen[0]["together"] == ["none", "ValueError: rank 1: no room"]
    assert seen[1]["together"] == ["none", "OSError: no room"]


def test_a_run_is_paused_and_stopped_from_rank_0_which_alone_writes(seen: list[dict[str, Any]], folder: Path):
    (status, step, steps, paused), (other, its_step, _, wrote_nothing) = (each["run"] for each in seen)
    assert (status, other) == ("stopped", "stopped")
    assert step == its_step == steps[-1] == load_run(folder / "run", noise()).step
    assert paused
    assert wrote_nothing


def test_when_a_rank_is_lost_rank_0_saves_the_last_whole_step(seen: list[dict[str, Any]], folder: Path):
    status, error = seen[0]["lost"]
    assert status == "failed"
    assert error.startswith("LostRankError: another process of this training is gone")
    data = noise(train=51)
    alone: VAE = with_dropout(data)
    trainer = Trainer(alone, data, config(steps=4, log_every=3))
    list(trainer.events())
    saved, expected = load_run(folder / "lost", data).checkpoint.state, trainer.state()
    assert (saved.step, saved.examples, saved.since) == (4, 51, 51 - 48)
    close(saved.weights, expected.weights)
    for stream in ("shuffler", "sampler"):
        assert torch.equal(saved.tensors[stream], expected.tensors[stream])
    run = resume_run(folder / "lost", data, steps=9)
    run.start()
    assert run.wait() == "finished"
    uninterrupted = with_dropout(data)
    list(train(uninterrupted, data, config(steps=9, log_every=3)))
    close(run.model.state_dict(), uninterrupted.state_dict())
