import pytest
import torch

import vaeviz.training.device
from tests.training.small import small_model
from vaeviz.training import TrainConfig, TrainingRun, available_devices, resolve_device
from vaeviz.training.device import computes_bf16

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="has CUDA")


def test_the_cpu_is_always_there_and_comes_last():
    assert available_devices()[-1] == "cpu"


def test_auto_takes_the_first_device_there_is():
    assert resolve_device("auto").type == available_devices()[0]


def test_a_device_is_found_by_its_name():
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "CPU", "cuda:x", "cpu cpu", " "])
def test_a_name_that_torch_does_not_know_is_refused_in_words(name):
    with pytest.raises(ValueError, match=rf"^device='{name}': must be 'auto' or one of .*cpu$"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["meta", "cpu:1", "cuda:99", pytest.param("cuda", marks=no_cuda)])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(ValueError, match=rf"^device='{name}': this machine has only .*cpu; take one of them$"):
        resolve_device(name)


@pytest.mark.gpu
def test_auto_prefers_cuda():
    assert resolve_device("auto").type == "cuda"
    assert resolve_device("cuda:0") == torch.device("cuda", 0)


def test_bf16_is_refused_where_it_is_not_with_what_would_do(monkeypatch, data):
    monkeypatch.setattr(vaeviz.training.device, "computes_bf16", lambda device: False)
    with pytest.raises(ValueError, match=r"^precision='bf16': the cpu of .* take precision='float32'$"):
        TrainingRun(small_model(data), data, TrainConfig(precision="bf16", batch_size=16, device="cpu"))
    assert TrainingRun(small_model(data), data, TrainConfig(batch_size=16, device="cpu")).status == "ready"


def test_bf16_is_taken_where_it_is(monkeypatch, data):
    monkeypatch.setattr(vaeviz.training.device, "computes_bf16", lambda device: True)
    config = TrainConfig(precision="bf16", batch_size=16, device="cpu")
    assert TrainingRun(small_model(data), data, config).status == "ready"


def test_whether_a_cpu_has_bf16_is_known():
    assert computes_bf16(torch.device("cpu")) in (True, False)
