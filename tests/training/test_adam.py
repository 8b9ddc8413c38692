"""Adam on a CPU is torch's, to the bit of every weight."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from vaeviz.training.adam import CPUAdam


def networks() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(7, 5), nn.ELU(), nn.Linear(5, 3))
    return ours, copy.deepcopy(ours)


def groups(model: nn.Module) -> list[dict[str, object]]:
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": weights, "weight_decay": 0.01}, {"params": biases, "weight_decay": 0.0}]


def learn(model: nn.Sequential, optimizer: torch.optim.Optimizer, x: Tensor, layers: int = 3) -> None:
    optimizer.zero_grad()
    model[:layers](x).square().sum().backward()
    optimizer.step()


def assert_equal(ours: nn.Module, theirs: nn.Module, one: torch.optim.Optimizer, other: torch.optim.Optimizer) -> None:
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(p, q)
        assert one.state[p].keys() == other.state[q].keys()
        assert all(torch.equal(one.state[p][key], other.state[q][key]) for key in other.state[q])


@pytest.mark.parametrize("first", [3, 1], ids=["all learn from the first step", "some learn later"])
def test_steps_are_those_of_torch(first: int) -> None:
    ours, theirs = networks()
    one, other = CPUAdam(groups(ours), lr=0.01), torch.optim.Adam(groups(theirs), lr=0.01, fused=True)
    for layers in (first, 3, 3, 3, 1, 3):  # a parameter without a gradient stays, and its moments, too
        x = torch.rand(4, 7)
        learn(ours, one, x, layers)
        learn(theirs, other, x, layers)
        assert_equal(ours, theirs, one, other)


def test_steps_that_are_followed_are_those_that_are_done() -> None:
    ours, theirs = networks()
    one, other = CPUAdam(groups(ours), lr=0.01), torch.optim.Adam(groups(theirs), lr=0.01, fused=True)
    for _ in range(5):
        x = torch.rand(4, 7)
        ours.zero_grad()
        ours(x).square().sum().backward()
        one.follow()
        learn(theirs, other, x)
    assert_equal(ours, theirs, one, other)


def test_goes_on_from_saved_moments() -> None:
    ours, theirs = networks()
    one, other = CPUAdam(groups(ours), lr=0.01), torch.optim.Adam(groups(theirs), lr=0.01, fused=True)
    for _ in range(3):
        learn(theirs, other, torch.rand(4, 7))
    learn(ours, one, torch.rand(4, 7))  # something else, which is forgotten
    learn(ours, one, torch.rand(4, 7))
    ours.load_state_dict(theirs.state_dict())
    one.load_state_dict(copy.deepcopy(other.state_dict()))
    for _ in range(3):
        x = torch.rand(4, 7)
        learn(ours, one, x)
        learn(theirs, other, x)
    assert_equal(ours, theirs, one, other)


def test_follows_a_schedule() -> None:
    ours, theirs = networks()
    one, other = CPUAdam(groups(ours), lr=0.01), torch.optim.Adam(groups(theirs), lr=0.01, fused=True)
    schedules = [OneCycleLR(optimizer, max_lr=0.01, total_steps=8) for optimizer in (one, other)]
    for _ in range(6):
        x = torch.rand(4, 7)
        learn(ours, one, x)
        learn(theirs, other, x)
        for schedule in schedules:
            schedule.step()
    assert_equal(ours, theirs, one, other)


def test_a_closure_is_asked_for_the_loss() -> None:
    ours, theirs = networks()
    one, other = CPUAdam(groups(ours), lr=0.01), torch.optim.Adam(groups(theirs), lr=0.01, fused=True)
    x = torch.rand(4, 7)

    def loss(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
        optimizer.zero_grad()
        value = model(x).square().sum()
        value.backward()
        return float(value.detach())

    for _ in range(3):
        assert one.step(lambda: loss(ours, one)) == other.step(lambda: loss(theirs, other))
    assert_equal(ours, theirs, one, other)


def lose_their_gradient(model: nn.Sequential, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Do a step in which, from the tenth on, some inputs are 0 and some units closed, as a ReLU's are."""
    x = torch.rand(4, 7, generator=torch.Generator().manual_seed(step))
    x[:, :3] *= step < 10
    optimizer.zero_grad()
    hidden = model[:2](x)
    hidden = torch.cat((hidden[:, :2] * (step < 10), hidden[:, 2:]), dim=1)
    model[2](hidden).square().sum().backward()
    optimizer.step()


def test_moments_that_fade_are_dropped_before_they_are_denormal_and_no_weight_notices() -> None:
    ours, theirs = networks()
    one = CPUAdam([{"params": list(ours.parameters())}], lr=0.01)
    other = torch.optim.Adam(theirs.parameters(), lr=0.01, fused=True)
    smallest = torch.finfo(torch.float32).tiny
    faded = 0
    for step in range(1000):
        lose_their_gradient(ours, one, step)
        lose_their_gradient(theirs, other, step)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(p, q)
            mean, square = one.state[p]["exp_avg"], one.state[p]["exp_avg_sq"]
            assert bool(((mean == 0) | (mean.abs() >= smallest)).all())
            assert bool(((square == 0) | (square >= smallest)).all())
            kept = mean != 0
            assert torch.equal(mean[kept], other.state[q]["exp_avg"][kept])
            faded += int((other.state[q]["exp_avg"][~kept] != 0).sum())
    assert faded, "torch's own have some that are denormal"


def test_what_goes_on_from_saved_moments_drops_the_same_ones_at_the_same_steps() -> None:
    ours, theirs = networks()
    one, other = (CPUAdam([{"params": list(model.parameters())}], lr=0.01) for model in (ours, theirs))
    for step in range(700):
        lose_their_gradient(ours, one, step)
        lose_their_gradient(theirs, other, step)
        if step == 500:
            saved = copy.deepcopy(other.state_dict())
            other = CPUAdam([{"params": list(theirs.parameters())}], lr=0.01)
            other.load_state_dict(saved)
        assert_equal(ours, theirs, one, other)
    assert any(bool((one.state[p]["exp_avg"] == 0).any()) for p in ours.parameters())


def test_not_a_number_is_not_dropped() -> None:
    ours, _ = networks()
    optimizer = CPUAdam([{"params": list(ours.parameters())}], lr=0.01)
    for step in range(200):
        lose_their_gradient(ours, optimizer, step)
        if step == 50:
            optimizer.state[ours[2].weight]["exp_avg"][0, 0] = float("nan")
    assert optimizer.state[ours[2].weight]["exp_avg"][0, 0].isnan()
    assert ours[2].weight[0, 0].isnan()
