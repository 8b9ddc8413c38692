import dataclasses
import math
import re

import pytest

from vaeviz.training import TrainConfig

NAN, INF = math.nan, math.inf
WHOLE_FROM_1 = (0, -1, 1.5, 1.0, True, False, "3", NAN, INF, [1])
AT_LEAST_0 = (-1, -1e-9, NAN, INF, -INF, True, "1", None, 10**400)
BAD = {
    "epochs": ((*WHOLE_FROM_1, None), "a whole number of at least 1"),
    "steps": (WHOLE_FROM_1, "a whole number of at least 1"),
    "batch_size": ((*WHOLE_FROM_1, None), "a whole number of at least 1"),
    "log_every": ((*WHOLE_FROM_1, None), "a whole number of at least 1"),
    "embedded": ((*WHOLE_FROM_1, None), "a whole number of at least 1"),
    "seed": ((-1, 0.0, True, NAN, "0", None, 2**63), f"a whole number from 0 to {2**63 - 1}"),
    "learning_rate": ((0, 0.0, -1, 10.1, NAN, INF, True, "1", None, 10**400), "a number above 0, at most 10"),
    "beta": (AT_LEAST_0, "a number of at least 0"),
    "l2": (AT_LEAST_0, "a number of at least 0"),
    "clip": ((0, -1, NAN, INF, True, "5", 10**400), "a number above 0, or None"),
    "schedule": (("cosine", "", None, 1, []), "one of 'constant', 'one-cycle'"),
    "precision": (("float16", None, 32, ["bf16"]), "one of 'float32', 'bf16'"),
    "cuda_graphs": (("yes", "", None, True), "one of 'auto', 'on', 'off'"),
    "device": (("", None, 0, True), "'auto' or the name of a torch device, such as 'cpu'"),
}
CASES = [
    pytest.param(field, value, allowed, id=f"{field}={value!r}"[:40])
    for field, (values, allowed) in BAD.items()
    for value in values
]


@pytest.mark.parametrize(("field", "value", "allowed"), CASES)
def test_a_bad_value_is_refused_with_field_value_and_what_is_allowed(field, value, allowed):
    with pytest.raises(ValueError, match="^" + re.escape(f"{field}={value!r}: must be {allowed}") + "$"):
        TrainConfig(**{field: value})


def test_every_field_has_its_bad_values_tested():
    assert set(BAD) == {field.name for field in dataclasses.fields(TrainConfig)}


@pytest.mark.parametrize(
    "good",
    [
        {"epochs": 1},
        {"steps": None},
        {"steps": 1},
        {"learning_rate": 10},
        {"beta": 0},
        {"l2": 0},
        {"clip": None},
        {"clip": 1e-9},
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"schedule": "one-cycle"},
        {"precision": "bf16"},
        {"device": "cuda:3"},
        {"cuda_graphs": "off"},
    ],
    ids=repr,
)
def test_values_at_the_edge_of_what_is_allowed_are_taken(good):
    assert TrainConfig(**good).as_dict() == {**TrainConfig().as_dict(), **good}


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().epochs = 3


def test_replacing_a_field_checks_it_again():
    with pytest.raises(ValueError, match="epochs=0"):
        dataclasses.replace(TrainConfig(), epochs=0)


def test_it_is_keyword_only():
    with pytest.raises(TypeError):
        TrainConfig(20)


def test_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="momentum"):
        TrainConfig(momentum=0.9)


def test_the_steps_of_an_epoch_include_the_partial_last_batch():
    assert TrainConfig(epochs=3, batch_size=16).total_steps(50) == 3 * 4
    assert TrainConfig(epochs=3, batch_size=25).total_steps(50) == 3 * 2


def test_steps_take_the_place_of_epochs():
    assert TrainConfig(epochs=3, steps=7, batch_size=16).total_steps(50) == 7


def test_as_dict_makes_the_same_config_again():
    config = TrainConfig(epochs=2, clip=None, schedule="one-cycle")
    assert TrainConfig(**config.as_dict()) == config
