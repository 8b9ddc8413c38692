import copy
import pickle

import pytest
import torch
from torch import nn

from vaeviz.models import Dropout, seed_dropout

ONES = torch.ones(100, 100)


def test_values_are_dropped_with_probability_p_and_the_rest_scaled():
    dropped = Dropout(0.25, torch.Generator().manual_seed(0))(ONES)
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.eq(0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_the_generator_reproduces_the_masks():
    first, again, other = (Dropout(0.5, torch.Generator().manual_seed(seed))(ONES) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    Dropout(0.5, torch.Generator())(ONES)
    assert torch.equal(torch.get_rng_state(), before)


def test_eval_mode_is_the_identity():
    assert Dropout(0.5).eval()(ONES) is ONES


def test_p_of_zero_is_the_identity():
    assert Dropout(0.0)(ONES) is ONES


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_has_no_generator(clone):
    original = Dropout(0.5, torch.Generator())
    twin = clone(original)
    assert (twin.p, twin.training, twin.generator) == (0.5, True, None)
    assert original.generator is not None


def test_seed_dropout_reaches_every_dropout_inside():
    model = nn.Sequential(Dropout(0.5), nn.Sequential(nn.ELU(), Dropout(0.1)))
    generator = torch.Generator()
    seed_dropout(model, generator)
    assert model[0].generator is model[1][1].generator is generator


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_p_must_be_a_probability_below_one(p):
    with pytest.raises(ValueError, match="must be at least 0 and below 1"):
        Dropout(p)
