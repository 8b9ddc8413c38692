"""A recorded step does what the step does; and what can't be recorded faithfully is not, unless it is asked for."""

import copy
import gc

import pytest
import torch
from torch import Tensor, nn

from tests.training.small import Counting, batch_norms, config, of_type, small_model, trained, with_layer
from vaeviz.data import Dataset
from vaeviz.models import VAE, ConvVAE
from vaeviz.training import Metrics, Progress, TrainConfig, TrainingRun, train
from vaeviz.training.loop import Trainer
from vaeviz.training.recorded import BEFORE_RECORDING, RecordedStep


class Looking(Counting):
    """One that looks at a value, for which the GPU must be waited for."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.abs().max().item() < 1e9 else x * 0


@pytest.mark.parametrize("wish", ["auto", "on"])
def test_on_the_cpu_nothing_is_recorded_and_nothing_else_is_different(data, wish):
    _, without = trained(data, cuda_graphs="off")
    _, rows = trained(data, cuda_graphs=wish)
    assert [row[:6] for row in of_type(Metrics, rows)] == [row[:6] for row in of_type(Metrics, without)]


# On the accelerator


CASES = [
    {},
    {"dropout": 0.3},
    {"schedule": "one-cycle", "learning_rate": 3e-3},
    {"clip": None, "l2": 1e-3},
    {"precision": "bf16"},
]


def on_the_gpu(data: Dataset, model: VAE, **changes: object) -> Tensor:
    """Train a model with batches of two sizes; return the losses."""
    events = train(model, data, config(**{"device": "cuda", "epochs": 6, "batch_size": 64, "log_every": 1, **changes}))
    return torch.tensor([row[3:6] for row in of_type(Metrics, list(events))])


def close(some: VAE, other: VAE) -> bool:
    pairs = zip(some.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a.cpu(), b.cpu(), rtol=1e-3, atol=1e-4) for a, b in pairs)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that were recorded."""
    sizes: list[int] = []
    record = RecordedStep._record

    def recording(self: RecordedStep, rows: Tensor) -> object:
        sizes.append(len(rows))
        return record(self, rows)

    monkeypatch.setattr(RecordedStep, "_record", recording)
    return sizes


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_replayed_steps_learn_what_the_steps_learn(digits, recorded, case):
    dropout = case.get("dropout", 0.0)
    case = {name: value for name, value in case.items() if name != "dropout"}
    model, twin = (small_model(digits, dropout=dropout) for _ in range(2))
    losses = on_the_gpu(digits, model, **case, cuda_graphs="off")
    assert not recorded
    replayed = on_the_gpu(digits, twin, **case)
    assert recorded == [64, len(digits.train) % 64]
    assert losses[-1, 0] < losses[0, 0]
    assert (replayed - losses).abs().max() < 1e-2
    assert close(model, twin)


@pytest.mark.gpu
@pytest.mark.parametrize("make", [batch_norms, lambda data, _: ConvVAE(data.image_shape, channels=(4,), hidden_size=8)])
def test_other_layers_learn_the_same_too(digits, recorded, make):
    torch.manual_seed(0)
    model = make(digits, 0.1)
    twin = copy.deepcopy(model)
    losses = on_the_gpu(digits, model, cuda_graphs="off")
    assert (on_the_gpu(digits, twin) - losses).abs().max() < 0.05
    assert recorded


@pytest.mark.gpu
def test_a_layer_of_ones_own_is_not_recorded_unless_it_is_asked_for(data, recorded):
    layer = Counting()
    on_the_gpu(data, with_layer(data, layer), batch_size=25, steps=40)
    assert layer.steps == 40
    assert not recorded
    layer = Counting()
    on_the_gpu(data, with_layer(data, layer), batch_size=25, steps=40, cuda_graphs="on")
    assert recorded == [25]
    assert layer.steps == BEFORE_RECORDING + 1


@pytest.mark.gpu
def test_what_cannot_be_recorded_says_so_and_another_training_goes_on(data):
    with pytest.raises(RuntimeError, match=r"can't be recorded \(.+\); take cuda_graphs='off'$"):
        on_the_gpu(data, with_layer(data, Looking()), batch_size=25, steps=40, cuda_graphs="on")
    losses = on_the_gpu(data, small_model(data, dropout=0.1), batch_size=25, steps=40)
    assert losses.isfinite().all()
    dropped = nn.functional.dropout(torch.ones(100, device="cuda"), 0.5)  # the global generator is as it was
    assert 0 < dropped.sum() < 200


@pytest.mark.gpu
def test_a_recorded_training_that_is_resumed_goes_on_as_one_that_was_not_interrupted(digits):
    whole = small_model(digits, dropout=0.2)
    losses = on_the_gpu(digits, whole)
    settings = config(device="cuda", epochs=6, batch_size=64)
    trainer = Trainer(small_model(digits, dropout=0.2), digits, settings)
    for event in trainer.events():
        if isinstance(event, Progress) and event.step == 41:
            break
    state = trainer.state()
    resumed = small_model(digits, dropout=0.2)
    rest = of_type(Metrics, list(train(resumed, digits, settings, resume=state)))
    assert rest[-1].loss == pytest.approx(float(losses[-1, 0]), abs=1e-2)
    assert close(resumed, whole)


@pytest.mark.gpu
def test_trainings_side_by_side_are_recorded_each_for_itself(digits):
    alone = small_model(digits)
    on_the_gpu(digits, alone, epochs=4)
    models = [small_model(digits) for _ in range(3)]
    runs = [
        TrainingRun(model, digits, TrainConfig(device="cuda", epochs=4, batch_size=64, log_every=1)) for model in models
    ]
    for run in runs:
        run.start()
    assert [run.wait(60) for run in runs] == ["finished"] * 3
    assert all(close(alone, model) for model in models)


@pytest.mark.gpu
def test_a_recorded_run_can_be_paused_looked_at_and_stopped(digits, eventually):
    run = TrainingRun(small_model(digits), digits, TrainConfig(device="cuda", steps=10**7, batch_size=64, embedded=100))
    run.start()
    eventually(lambda: run.step > 200)
    run.pause()
    eventually(lambda: run.status == "paused")
    step = run.step
    assert run.snapshot().step == step
    run.resume()
    eventually(lambda: run.step > step)
    run.stop()
    assert run.status == "stopped"
    assert run.snapshot().step == run.step
    assert all(p.isfinite().all() for p in run.snapshot().vae.parameters())


@pytest.mark.gpu
def test_what_a_recorded_training_took_of_the_gpu_is_given_back(digits):
    on_the_gpu(digits, small_model(digits), epochs=3)
    gc.collect()
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        on_the_gpu(digits, small_model(digits), epochs=3)
    gc.collect()
    assert torch.cuda.memory_allocated() <= before + 2**20
