"""Means of what a loop logs, kept on the loop's own device until they are due."""

import torch
from torch import Tensor

Value = float | Tensor


class Means:
    """Running means of loss, reconstruction and KL over the examples of some logged batches.

    Tensors are added up where they are, so that no GPU has to be waited for; the sums are fetched by `take`.
    """

    def __init__(self) -> None:
        self._sums: Tensor | tuple[float, float, float] = (0.0, 0.0, 0.0)
        self.examples = 0
        self.batches = 0
        self.parted = False
        """Whether the last batch told of reconstruction and KL."""

    def add(self, loss: Value | None, reconstruction: Value | None, kl: Value | None) -> int:
        """Add a batch; return how many examples it says to have, or 0 if it does not say.

        Parameters
        ----------
        loss, reconstruction
            Nats per example: one number, the mean over the batch; or (B,).
        kl
            The same; or (B, L), which is summed over the latent dimensions.

        Raises
        ------
        ValueError
            If a shape is another, or two batch sizes differ.
        """
        mean_loss, size = _mean("loss", loss, 1)
        mean_reconstruction, size = _mean("reconstruction", reconstruction, 1, size)
        mean_kl, size = _mean("kl", kl, 2, size)
        if mean_loss is None:
            mean_loss = mean_reconstruction + mean_kl  # type: ignore[operator]  # the caller sees to it
        values = [float("nan") if each is None else each for each in (mean_loss, mean_reconstruction, mean_kl)]
        weight = size or 1
        on_device = next((each for each in values if isinstance(each, Tensor) and each.device.type != "cpu"), None)
        if on_device is None:
            numbers = tuple(float(each) * weight for each in values)
            self._sums = _plus(self._sums, numbers)
        else:
            stacked = torch.stack([torch.as_tensor(each, device=on_device.device) for each in values]) * weight
            before = self._sums if isinstance(self._sums, Tensor) else torch.tensor(self._sums)
            self._sums = before.to(on_device.device) + stacked
        self.examples += weight
        self.batches += 1
        self.parted = reconstruction is not None and kl is not None
        return size

    def take(self) -> tuple[float, float, float]:
        """Return the means of loss, reconstruction and KL, and begin anew."""
        sums = self._sums.tolist() if isinstance(self._sums, Tensor) else self._sums
        loss, reconstruction, kl = (each / self.examples for each in sums)
        self._sums, self.examples, self.batches = (0.0, 0.0, 0.0), 0, 0
        return loss, reconstruction, kl


def _mean(name: str, value: Value | None, most: int, size: int = 0) -> tuple[Value | None, int]:
    """Return the mean over the batch, and the batch's size as far as it is known."""
    if value is None or not isinstance(value, Tensor):
        return value, size
    if value.ndim > most:
        told = "one number or (B,)" if most == 1 else "one number, (B,) or (B, L)"
        raise ValueError(f"{name} has shape {tuple(value.shape)}; expected {told}, in nats per example")
    value = value.detach()
    if value.ndim == 0:
        return value, size
    if size and len(value) != size:
        raise ValueError(f"{name} is of {len(value)} examples, but what came before it of {size}")
    return (value.sum(1) if value.ndim == 2 else value).mean(), len(value)


def _plus(sums: Tensor | tuple[float, float, float], numbers: tuple[float, ...]) -> Tensor | tuple[float, float, float]:
    if isinstance(sums, Tensor):
        return sums + torch.tensor(numbers, device=sums.device)
    a, b, c = sums
    x, y, z = numbers
    return a + x, b + y, c + z
