"""A Lightning callback that logs a training into a monitor."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from vaeviz.monitor import Monitor
from vaeviz.training import Split


class MonitorCallback(Callback):
    """Log every batch of a Lightning training into a monitor.

    Loss, reconstruction and KL are looked for by their names in what `training_step` and `validation_step` return, and
    else among the metrics that the module logs with `self.log`. Where reconstruction or KL is not found, the loss
    alone is told.

    Parameters
    ----------
    monitor : Monitor
        Of `vaeviz.watch`.
    reconstruction, kl, loss : str
        Their names; in nats per example, as `Monitor.log` takes them. Those of the validation may begin with "val_".

    Examples
    --------
    ``Trainer(callbacks=[MonitorCallback(vaeviz.watch(module, data))])``
    """

    def __init__(
        self, monitor: Monitor, *, reconstruction: str = "reconstruction", kl: str = "kl", loss: str = "loss"
    ) -> None:
        self.monitor = monitor
        self._names = {"reconstruction": reconstruction, "kl": kl, "loss": loss}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log a training batch."""
        epoch = trainer.current_epoch + (batch_idx + 1) / max(trainer.num_training_batches, 1)
        self._log(trainer, outputs, "train", epoch)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log a validation batch, unless it only checks that validation works."""
        if not trainer.sanity_checking:
            self._log(trainer, outputs, "validation", trainer.current_epoch + 1)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the monitor that the training has ended."""
        self.monitor.finish()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Tell the monitor why the training failed."""
        self.monitor.finish(exception)

    def _log(self, trainer: Trainer, outputs: Any, split: Split, epoch: float) -> None:
        given = outputs if isinstance(outputs, Mapping) else {} if outputs is None else {self._names["loss"]: outputs}
        values = {term: _named(name, given) for term, name in self._names.items()}
        if any(value is None for value in values.values()):
            logged = trainer.callback_metrics
            names = self._names if split == "train" else {term: f"val_{name}" for term, name in self._names.items()}
            values |= {term: _named(names[term], logged) for term, value in values.items() if value is None}
        self.monitor.log(trainer.global_step, **values, split=split, epoch=epoch)


def _named(name: str, given: Mapping[str, Any]) -> Any:
    return next((given[each] for each in (name, f"val_{name}") if each in given), None)
