"""A pythae callback that logs a training into a monitor."""

from collections.abc import Callable
from typing import Any

from pythae.trainers.base_trainer.base_training_config import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

from vaeviz.monitor import Monitor
from vaeviz.training import Split

RECONSTRUCTION = ("recon_loss", "reconstruction_loss")
KL = ("reg_loss", "kld")


class MonitorCallback(TrainingCallback):  # type: ignore[misc]  # pythae has no types
    """Log every batch of a pythae training into a monitor.

    pythae tells its callbacks of no losses, so they are read from the model's own output, through a forward hook, while
    it trains.

    Parameters
    ----------
    monitor : Monitor
        Of `vaeviz.watch`.
    model : nn.Module
        The pythae model that is trained.

    Examples
    --------
    ``pipeline(train_data=..., callbacks=[MonitorCallback(vaeviz.watch(model, data), model)])``
    """

    def __init__(self, monitor: Monitor, model: nn.Module) -> None:
        self.monitor = monitor
        self._model = model
        self._hook: Any = None
        self._step = self._batches = self._per_epoch = 0
        self._seen: list[Any] = []  # what the model gave last

    def on_train_begin(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Begin to listen to the model."""
        self._hook = self._model.register_forward_hook(_listener(self._seen, self._model))

    def on_epoch_begin(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Take note of how many batches make an epoch."""
        self._per_epoch = len(kwargs.get("train_loader") or ())

    def on_train_step_end(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Log a training batch: the optimizer has done its step."""
        self._step += 1
        self._log("train")

    def on_eval_step_end(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Log a validation batch."""
        self._log("validation")

    def on_train_end(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Tell the monitor that the training has ended."""
        self._hook.remove()
        self.monitor.finish()

    def _log(self, split: Split) -> None:
        if not self._seen:
            return
        given = self._seen.pop()
        epoch = self._step / self._per_epoch if self._per_epoch else None
        self.monitor.log(
            self._step,
            loss=_field(given, ("loss",)),
            reconstruction=_field(given, RECONSTRUCTION),
            kl=_field(given, KL),
            split=split,
            epoch=epoch,
        )


def _listener(seen: list[Any], model: nn.Module) -> Callable[[nn.Module, Any, Any], None]:
    """Return a hook that remembers the last output of this very model: pythae copies it, with its hooks."""

    def listen(module: nn.Module, given: Any, output: Any) -> None:
        if module is model:
            seen[:] = [output]

    return listen


def _field(given: Any, names: tuple[str, ...]) -> Any:
    return next((given[name] for name in names if name in given), None)
