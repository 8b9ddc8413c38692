"""Other libraries' trainers, as they are, feed a monitor."""

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import vaeviz as vz

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries' own imports
    import lightning.pytorch as L
    from pythae.models import VAE, VAEConfig
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    from vaeviz.bridges import lightning as lightning_bridge
    from vaeviz.bridges import pythae as pythae_bridge

pytestmark = pytest.mark.filterwarnings("ignore:(?!vaeviz)")  # theirs; not ours


@pytest.fixture(scope="module")
def data() -> vz.Dataset:
    return vz.load_dataset("digits")


class Module(L.LightningModule):
    def __init__(self, returns: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ELU(), nn.Linear(32, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 32), nn.ELU(), nn.Linear(32, 64))
        self.returns = returns
        self.seen: list[tuple[float, float]] = []

    def _step(self, x: Tensor, prefix: str = "") -> Tensor | dict[str, Tensor]:
        mu, logvar = self.encoder(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        reconstruction = nn.functional.binary_cross_entropy_with_logits(
            self.decoder(z), x.flatten(1), reduction="none"
        ).sum(1)
        kl = (mu.square() + logvar.exp() - logvar - 1) / 2
        loss = reconstruction.mean() + kl.sum(1).mean()
        if prefix == "":
            self.seen.append((reconstruction.mean().item(), kl.sum(1).mean().item()))
        if self.returns == "logs":
            self.log(f"{prefix}reconstruction", reconstruction.mean())
            self.log(f"{prefix}kl", kl.sum(1).mean())
        if self.returns == "dict":
            return {"loss": loss, "reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | dict[str, Tensor]:
        return self._step(batch[0])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | dict[str, Tensor]:
        return self._step(batch[0], "val_")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def rows_of_two_epochs(monitor: vz.Monitor) -> tuple[list[vz.Metrics], list[vz.Metrics]]:
    """Return the rows of training and validation, each batch and each epoch of which has come."""
    rows = monitor.metrics_since(0)[0]
    train = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "validation"]
    per_epoch = -(-len(monitor.dataset.train) // 128)
    assert [row.step for row in train] == list(range(1, 2 * per_epoch + 1))
    assert train[-1].epoch == 2
    assert [row.step for row in validation] == [per_epoch, 2 * per_epoch]
    return train, validation


def fit(module: Module, monitor: vz.Monitor, data: vz.Dataset, **options) -> None:
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False,
        enable_progress_bar=False, callbacks=[lightning_bridge.MonitorCallback(monitor)], **options,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(data.pixels(data.train)), batch_size=128)
    trainer.fit(module, loader, DataLoader(TensorDataset(data.pixels(data.validation)), batch_size=64))


@pytest.mark.parametrize("returns", ["dict", "logs", "loss"])
def test_lightning_is_logged_batch_by_batch(data: vz.Dataset, returns: str):
    module = Module(returns)
    monitor = vz.watch(module, data, log_every=1)
    fit(module, monitor, data)
    train, validation = rows_of_two_epochs(monitor)
    assert [row.epoch for row in validation] == [1, 2]
    parts = [(row.reconstruction, row.kl) for row in train]
    if returns == "loss":
        assert np.isnan(parts).all()
    else:
        np.testing.assert_allclose(parts, module.seen, rtol=1e-5)
    np.testing.assert_allclose([row.loss for row in train], np.sum(module.seen, 1), rtol=1e-5)
    assert monitor.status == "finished"
    assert monitor.error is None
    assert torch.equal(monitor.snapshot().weights["encoder.borrowed.parts.0.1.weight"], module.encoder[1].weight)


def test_lightning_that_fails_tells_why(data: vz.Dataset):
    module = Module("loss")
    monitor = vz.watch(module, data)
    module.training_step = lambda batch, batch_idx: 1 / 0
    with contextlib.suppress(ZeroDivisionError):
        fit(module, monitor, data)
    assert monitor.status == "failed"
    assert "ZeroDivisionError" in monitor.error


def test_pythae_is_logged_batch_by_batch(data: vz.Dataset, tmp_path: Path):
    model = VAE(VAEConfig(input_dim=data.image_shape, latent_dim=2, reconstruction_loss="bce"))
    monitor = vz.watch(model, data, log_every=1)
    assert monitor.model.form.output == "probabilities"
    config = BaseTrainerConfig(
        output_dir=str(tmp_path), num_epochs=2, per_device_train_batch_size=128, per_device_eval_batch_size=64,
        no_cuda=True,
    )  # fmt: skip
    callback = pythae_bridge.MonitorCallback(monitor, model)
    TrainingPipeline(model=model, training_config=config)(
        train_data=data.pixels(data.train), eval_data=data.pixels(data.validation), callbacks=[callback]
    )
    train, validation = rows_of_two_epochs(monitor)
    assert all(row.loss == pytest.approx(row.reconstruction + row.kl, rel=1e-5) for row in [*train, *validation])
    assert train[-1].loss < train[0].loss
    assert monitor.status == "finished"
    assert monitor.error is None
    assert not model._forward_hooks
