import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vaeviz as vz
from tests.models.test_foreign import Flat
from vaeviz import Monitor, MonitorWarning
from vaeviz.monitor.means import Means
from vaeviz.monitor.watch import unwrapped


@pytest.fixture(scope="module")
def data() -> vz.Dataset:
    rng = np.random.default_rng(0)
    return vz.Dataset.from_arrays(rng.random((60, 4, 6)).astype(np.float32), np.arange(60) % 3, name="noise")


@pytest.fixture
def model() -> Flat:
    return Flat()


@pytest.fixture
def monitor(model: Flat, data: vz.Dataset) -> Iterator[Monitor]:
    monitor = vz.watch(model, data, log_every=2)
    yield monitor
    monitor.close()


def rows(monitor: Monitor) -> list[vz.Metrics]:
    return monitor.metrics_since(0)[0]


# Watching


def test_a_monitor_is_a_run_that_can_be_looked_at_before_the_first_step(monitor: Monitor):
    assert isinstance(monitor, vz.Run)
    assert monitor.status == "ready"
    assert monitor.steps == [0]
    assert monitor.snapshot().mu.shape == (60, 3)
    assert repr(monitor) == "Monitor(Flat, 3-D (probabilities) on noise: ready, step 0)"


@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # torch.compile's own
@pytest.mark.parametrize("form", ["model", "functions", "parts", "array", "compiled", "parallel"])
def test_a_model_may_be_given_in_many_ways(model: Flat, data: vz.Dataset, form: str):
    match form:
        case "model":
            monitor = vz.watch(model, data)
        case "functions":
            monitor = vz.watch(encode=model.encode, decode=model.decode, data=data)
        case "array":
            monitor = vz.watch(model, data.images.numpy())
        case "compiled":
            monitor = vz.watch(torch.compile(model), data)
        case "parallel":
            monitor = vz.watch(nn.DataParallel(model), data)
        case "parts":
            parts = nn.Module()
            parts.encoder, parts.decoder = nn.Sequential(nn.Flatten(), nn.Linear(24, 6)), nn.Linear(3, 24)
            monitor = vz.watch(parts, data)
    assert monitor.snapshot().vae.latent_dim == 3
    assert monitor.snapshot().mu.shape == (60, 3)


def test_a_model_of_our_own_is_taken_as_it_is(data: vz.Dataset):
    model = vz.DenseVAE(data.image_shape, (8,), 2)
    assert vz.watch(model, data).model is model


def test_what_is_inside_of_torchs_wrappers_is_found(model: Flat):
    assert unwrapped(nn.DataParallel(model)) is model
    assert unwrapped(model) is model


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "data is missing"),
        ({"data": True}, "encode is missing"),
        ({"data": True, "model": nn.Linear(2, 2)}, "Linear has neither encode nor encoder"),
        ({"data": True, "encode": Flat().encode}, "decode is missing"),
        ({"data": True, "model": Flat(), "log_every": 0}, "log_every=0"),
    ],
)
def test_what_can_not_be_watched_is_refused_in_words(data: vz.Dataset, arguments: dict, words: str):
    with pytest.raises(ValueError, match=words):
        vz.watch(**{**arguments, **({"data": data} if "data" in arguments else {})})


# Logging


def test_rows_are_means_over_the_batches_since_the_row_before(monitor: Monitor):
    monitor.log(1, reconstruction=10.0, kl=1.0)
    assert monitor.status == "running"
    assert rows(monitor) == []
    monitor.log(2, reconstruction=torch.tensor(20.0, requires_grad=True), kl=3.0, epoch=0.5)
    (row,) = rows(monitor)
    assert row[:6] == (2, 0.5, "train", 17.0, 15.0, 2.0)
    monitor.log(3, loss=5.0)
    monitor.log(4, loss=7.0)
    row = rows(monitor)[1]
    assert (row.step, row.loss) == (4, 6.0)
    assert np.isnan([row.reconstruction, row.kl, row.epoch]).all()


def test_batches_that_tell_their_size_are_weighted_by_it_and_count_the_epochs(monitor: Monitor):
    monitor.log(1, reconstruction=torch.tensor([1.0, 1, 1]), kl=torch.ones(3, 2), loss=torch.tensor([4.0, 4, 4]))
    monitor.log(2, reconstruction=torch.tensor([5.0]), kl=torch.zeros(1, 2), loss=8.0)
    (row,) = rows(monitor)
    assert row[2:6] == ("train", 5.0, 2.0, 1.5)
    assert row.epoch == 4 / 48


def test_batches_of_a_validation_become_one_row(monitor: Monitor):
    monitor.log(1, reconstruction=1.0, kl=0.0)
    for value in (1.0, 2.0, 6.0):
        monitor.log(1, reconstruction=value, kl=1.0, split="validation")
    assert rows(monitor) == []
    monitor.log(2, reconstruction=1.0, kl=0.0)
    validation, train = rows(monitor)
    assert validation[:6] == (1, validation.epoch, "validation", 4.0, 3.0, 1.0)
    assert train.split == "train"


def test_tensors_on_a_device_are_added_up_there():
    means = Means()
    on_meta = torch.ones((), device="meta")  # a device whose values can't be fetched
    means.add(None, on_meta, 1.0)
    means.add(None, on_meta, on_meta)
    means.add(None, 1.0, 1.0)
    assert means.batches == 3


@pytest.mark.parametrize("after", ["finish", "with", "raise"])
def test_the_end_is_told_and_the_last_weights_are_kept(model: Flat, data: vz.Dataset, after: str):
    monitor = vz.watch(model, data)
    try:
        with monitor:
            for step in range(1, 8):
                monitor.log(step, reconstruction=1.0, kl=1.0)
            if after == "raise":
                raise KeyError("of the loop")
            if after == "finish":
                monitor.finish()
    except KeyError:
        assert monitor.error == "KeyError: 'of the loop'"
    assert monitor.status == ("failed" if after == "raise" else "finished")
    assert monitor.steps == [0, 1, 2, 3, 4, 6, 7]
    assert [row.step for row in rows(monitor)] == [7]  # what was left over


def test_kept_snapshots_hold_the_weights_of_their_step_while_the_model_trains_on(monitor: Monitor, model: Flat):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.rand(8, 24)
    weights = []
    for step in range(1, 5):
        mu, logvar = model.encode(x)
        loss = (model.decode(mu) - x).square().sum() + logvar.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        weights.append(model.fc4.weight.detach().clone())
        monitor.log(step, loss=loss)
    for step, weight in enumerate(weights, start=1):
        assert torch.equal(monitor.snapshot(step).weights["decoder.borrowed.parts.0.fc4.weight"], weight)
    assert not np.array_equal(monitor.snapshot(1).mu, monitor.snapshot(4).mu)


def test_a_loop_that_logs_only_now_and_then_keeps_the_first_after_each_kept_step(monitor: Monitor):
    for step in range(10, 101, 10):
        monitor.log(step, loss=1.0)
    assert monitor.steps == [0, 10, 20, 30, 40, 50, 70, 100]  # for 8, 16, 23, 32, 45, 64, 91


def test_watching_changes_no_training(data: vz.Dataset):
    def trained(*, watched: bool) -> Tensor:
        torch.manual_seed(0)
        model = nn.Module()
        model.encoder = nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 4))
        model.decoder = nn.Sequential(nn.Linear(2, 8), nn.Dropout(), nn.Linear(8, 24))
        optimizer = torch.optim.Adam(model.parameters())
        monitor = vz.watch(model, data) if watched else None
        for step in range(1, 20):
            x = data.images[torch.randint(60, (16,))]
            mu, logvar = model.encoder(x).chunk(2, 1)
            z = mu + torch.randn_like(mu) * (logvar / 2).exp()
            loss = (model.decoder(z) - x.flatten(1)).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if monitor is not None:
                monitor.log(step, loss=loss)
                _ = monitor.snapshot().mu
                assert model.training
        return torch.cat([value.flatten().double() for value in model.state_dict().values()])

    assert torch.equal(trained(watched=False), trained(watched=True))


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"step": 4, "loss": 1.0}, "backwards"),
        ({"step": 5.5, "loss": 1.0}, "whole number"),
        ({"step": 6}, "give reconstruction= and kl="),
        ({"step": 6, "loss": 1.0, "split": "dev"}, "split must be one of"),
        ({"step": 6, "loss": torch.ones(2, 2)}, r"loss has shape \(2, 2\)"),
        ({"step": 6, "reconstruction": torch.ones(2), "kl": torch.ones(3)}, "kl is of 3 examples"),
        ({"step": 6, "loss": "much"}, "could not convert"),
    ],
)
def test_a_bad_call_is_told_and_warned_of_once_and_the_loop_goes_on(monitor: Monitor, arguments: dict, words: str):
    monitor.log(5, loss=1.0)
    with pytest.warns(MonitorWarning, match=words):
        monitor.log(**arguments)
    monitor.log(**arguments)  # a warning would be an error here
    assert words.split(r"\(")[0] in monitor.error
    monitor.log(6, loss=2.0)
    assert [row.loss for row in rows(monitor)] == [1.5]
    assert monitor.status == "running"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(float("nan"))])
def test_a_loss_that_is_not_finite_makes_no_row(monitor: Monitor, value):
    monitor.log(1, loss=1.0)
    with pytest.warns(MonitorWarning, match="the loss is not a finite number around step 2"):
        monitor.log(2, loss=value)
    monitor.log(3, loss=value)
    monitor.log(4, loss=value)
    monitor.log(5, loss=3.0)
    monitor.log(6, loss=3.0)
    assert [row.loss for row in rows(monitor)] == [3.0]


def test_weights_that_are_not_finite_make_no_snapshot_and_the_last_good_one_stays(monitor: Monitor, model: Flat):
    monitor.log(1, loss=1.0)
    with torch.no_grad():
        model.fc1.weight[0, 0] = float("nan")
    with pytest.warns(MonitorWarning, match="no snapshot at step 2: the weight .*fc1.weight is no longer finite"):
        monitor.log(2, loss=1.0)
    monitor.log(3, loss=1.0)
    assert monitor.snapshot().step == 1
    assert np.isfinite(monitor.snapshot().mu).all()


def test_a_model_that_changes_its_shape_is_told_of(monitor: Monitor, model: Flat):
    model.fc4 = nn.Linear(9, 30)
    with pytest.warns(MonitorWarning, match="no snapshot at step 1"):
        monitor.log(1, loss=1.0)
    assert monitor.snapshot().step == 0


def test_logging_after_the_end_is_told(monitor: Monitor):
    monitor.finish()
    with pytest.warns(MonitorWarning, match="has finished"):
        monitor.log(1, loss=1.0)


def test_a_model_and_its_monitor_are_let_go(data: vz.Dataset):
    model = Flat()
    monitor = vz.watch(model, data)
    monitor.log(1, loss=1.0)
    there = weakref.ref(model)
    del model, monitor
    gc.collect()
    assert there() is None


# Serving


def test_it_is_served_from_a_thread_of_its_own_until_it_is_closed(monitor: Monitor, capsys: pytest.CaptureFixture):
    from urllib.request import urlopen

    address = monitor.serve()
    assert address in capsys.readouterr().out
    assert monitor.serve() == address  # asked again, it is the same
    assert "vaeviz" in urlopen(address).read().decode()
    assert any(thread.name == "vaeviz-server" for thread in threading.enumerate())
    monitor.close()
    assert not any(thread.name == "vaeviz-server" for thread in threading.enumerate())


def test_a_port_that_is_taken_or_none_is_refused_in_words(monitor: Monitor, model: Flat, data: vz.Dataset):
    port = int(monitor.serve().rpartition(":")[2])
    with pytest.raises(ValueError, match=f"port={port} on localhost can't be had"):
        vz.watch(model, data).serve(port)
    with pytest.raises(ValueError, match="port=-1: must be a whole number"):
        vz.watch(model, data).serve(-1)


def test_a_warning_points_to_the_line_of_the_loop(monitor: Monitor):
    with pytest.warns(MonitorWarning) as caught:
        monitor.log(1)
    assert caught[0].filename == __file__


def test_live_snapshots_are_taken_only_while_somebody_looks(monitor: Monitor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(monitor._budget, "due", lambda: True)
    for step in range(1, 6):
        monitor.log(step, loss=1.0)
    assert monitor._store.newest.step == 4
    assert monitor.snapshot().step == 4
    monitor.log(7, loss=1.0)
    assert monitor.snapshot().step == 7


def test_the_drawing_of_a_watched_model_counts_in_each_part_what_ran_there(monitor: Monitor, model: Flat):
    graph = vz.models.model_graph(monitor.snapshot().vae, monitor.dataset.image_shape)
    assert [layer.name for layer in graph.encoder.layers] == ["fc1", "fc21", "fc22"]
    assert [layer.name for layer in graph.decoder.layers] == ["fc3", "fc4"]
    assert graph.encoder.parameters == 24 * 9 + 9 + 2 * (9 * 3 + 3)
    assert graph.parameters == sum(p.numel() for p in model.parameters())


def test_functions_that_want_another_device_than_their_copies_are_on_are_refused_in_words(data: vz.Dataset):
    model = Flat()
    with pytest.raises(ValueError, match="encode can't take images of shape"):
        vz.watch(encode=lambda x: model.encode(x.to("meta")), decode=model.decode, data=data)


def test_a_model_without_weights_on_a_device_is_refused_in_words(data: vz.Dataset):
    with pytest.raises(ValueError, match="the model can't be copied, so its weights can't be kept"):
        vz.watch(Flat().to("meta"), data)


@pytest.mark.gpu
def test_a_model_on_a_gpu_is_watched_on_the_cpu_and_stays_where_it_is(data: vz.Dataset):
    model = Flat().cuda()
    monitor = vz.watch(model, data)
    monitor.log(1, loss=torch.ones((), device="cuda"))
    assert monitor.snapshot().mu.shape == (60, 3)
    assert {p.device.type for p in model.parameters()} == {"cuda"}
    assert {value.device.type for value in monitor.snapshot().weights.values()} == {"cpu"}
