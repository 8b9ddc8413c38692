"""The gradient of a plain dense VAE on a CPU, written out.

Beside the matrix products, a step has fewer operations than with autograd, and more of them work in place.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from vaeviz.models import VAE
from vaeviz.training.config import Precision
from vaeviz.training.plain import has_hook, hooks, is_plain

aten = torch.ops.aten

BACKWARD: dict[type[nn.Module], Callable[[Any, Tensor, Tensor, Tensor], object]] = {
    nn.ELU: lambda layer, x, y, g: aten.elu_backward.grad_input(g, layer.alpha, 1, 1, layer.inplace, x, grad_input=g),
    nn.ReLU: lambda layer, x, y, g: aten.threshold_backward.grad_input(g, y, 0, grad_input=g),
    nn.LeakyReLU: lambda layer, x, y, g: aten.leaky_relu_backward.grad_input(
        g, x, layer.negative_slope, layer.inplace, grad_input=g
    ),
    nn.Tanh: lambda layer, x, y, g: aten.tanh_backward.grad_input(g, y, grad_input=g),
    nn.GELU: lambda layer, x, y, g: aten.gelu_backward.grad_input(g, x, approximate=layer.approximate, grad_input=g),
    nn.SiLU: lambda layer, x, y, g: aten.silu_backward.grad_input(g, x, grad_input=g),
    nn.Softplus: lambda layer, x, y, g: aten.softplus_backward.grad_input(
        g, x, layer.beta, layer.threshold, grad_input=g
    ),
}
"""Turns the gradient g of an activation's output y into that of its input x, which is y where it works in place."""


class WrittenGradient:
    """The gradient of the negative ELBO of a dense VAE, by the chain rule, layer by layer.

    Parameters
    ----------
    model : VAE
        On the CPU. Its encoder is a `Sequential` of ``Flatten``, then linear layers and the activations of `BACKWARD`
        in turn; its decoder one of such layers, then ``Unflatten``. A `DenseVAE` without dropout is made so.
    precision : "float32" or "bf16"
        Of the matrix products and of what lies between them; the objective is float32.

    Raises
    ------
    ValueError
        If the model is made in another way.

    References
    ----------
    Kingma & Welling 2014, equation 10 and appendices B and C.1 (arXiv:1312.6114).
    """

    def __init__(self, model: VAE, precision: Precision = "float32") -> None:
        layers = _dense_layers(model)
        if layers is None:
            raise ValueError(f"the gradient of {model.describe()} is not written out: leave it to autograd")
        self._parameters, self._hooks = list(model.parameters()), hooks(model)
        self._whole = torch.cat([p.detach().flatten() for p in self._parameters])
        self._found = self._whole.bfloat16() if precision == "bf16" else self._whole  # in the products' precision
        self._gradients = self._parts(self._whole)
        found = dict[Tensor, Tensor](zip(self._parameters, self._parts(self._found), strict=True))
        self._encoder, self._decoder = (_Chain(part, found) for part in layers)
        self._spare = _Rooms()

    @classmethod
    def of(cls, model: VAE, precision: Precision) -> Self | None:
        """Return that of a model, or None if the model is made in another way."""
        return None if _dense_layers(model) is None else cls(model, precision)

    @property
    def holds(self) -> bool:
        """Whether it is what autograd would find now: nothing is frozen, and no hook waits to be called."""
        return not any(self._hooks) and all(p.requires_grad and not has_hook(p) for p in self._parameters)

    @torch.no_grad()
    def __call__(self, x: Tensor, beta: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Give every parameter the gradient of the mean loss of a batch.

        Parameters
        ----------
        x : Tensor, shape (B, C, H, W)
            Pixels in [0, 1].
        beta : float
            Weight of the KL term.
        generator : torch.Generator
            Source of the posterior samples, one an example.

        Returns
        -------
        gradient : Tensor, shape (P,)
            All of it; the parameters' gradients are parts of it.
        sums : Tensor, shape (3,)
            Loss, reconstruction and KL, in nats, summed over the batch.
        """
        count, x, dtype = len(x), x.flatten(1), self._found.dtype
        posterior = self._encoder.forward(x.to(dtype)).to(x.dtype)
        mu, logvar = posterior.chunk(2, dim=1)
        shift = torch.randn(mu.shape, generator=generator, dtype=mu.dtype) * (logvar / 2).exp()
        logits = self._decoder.forward((mu + shift).to(dtype)).to(x.dtype)
        # -log p(x | z) = max(l, 0) - l x + log(1 + e^-|l|), each of the terms positive that are summed
        spare = self._spare("pixels", x.shape, x.dtype)
        reconstruction = torch.clamp(logits, min=0, out=spare).addcmul_(logits, x, value=-1).sum()
        reconstruction += torch.abs(logits, out=spare).neg_().exp_().log1p_().sum()
        excess = logvar.expm1()  # sigma² - 1
        kl = mu.square().add_(excess).sub_(logvar).sum() / 2

        of_logits = logits.sigmoid_().sub_(x).div_(count)
        of_z = self._decoder.backward(of_logits.to(dtype)).to(x.dtype)
        of_mu = of_z.add(mu, alpha=beta / count)
        of_logvar = (of_z * shift).add_(excess, alpha=beta / count).div_(2)
        self._encoder.backward(torch.cat((of_mu, of_logvar), dim=1).to(dtype), of_input=False)
        if self._whole is not self._found:
            self._whole.copy_(self._found)
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._whole, torch.stack((reconstruction + beta * kl, reconstruction, kl))

    def _parts(self, whole: Tensor) -> list[Tensor]:
        """Return the part of each parameter of a flat tensor."""
        parts = torch.split(whole, [p.numel() for p in self._parameters])
        return [part.view_as(p) for p, part in zip(self._parameters, parts, strict=True)]


class _Rooms:
    """Tensors to write into, the same at every step: new ones are of pages that the system has to clear first."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[object, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: object, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return that of this name and shape."""
        key = name, shape
        if key not in self._rooms:
            self._rooms[key] = torch.empty(shape, dtype=dtype)
        return self._rooms[key]


class _Layer(NamedTuple):
    weight: Tensor
    bias: Tensor
    activation: nn.Module | None
    of_weight: Tensor  # the gradients
    of_bias: Tensor


class _Passed(NamedTuple):
    x: Tensor
    weight: Tensor  # as it was multiplied with
    inner: Tensor  # what the activation was given
    y: Tensor


class _Chain:
    """Linear layers, each followed by an activation but for the last."""

    def __init__(self, layers: list[nn.Module], gradients: dict[Tensor, Tensor]) -> None:
        linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self._layers = [
            _Layer(each.weight, each.bias, activation, gradients[each.weight], gradients[each.bias])
            for each, activation in zip(linears, [*layers[1::2], None], strict=True)
        ]
        self._outputs, self._gradients = _Rooms(), _Rooms()
        self._passed: list[_Passed] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return what they make of it; it holds until the next time."""
        self._passed = []
        for place, (weight, bias, activation, *_) in enumerate(self._layers):
            if weight.dtype != x.dtype:
                weight, bias = weight.to(x.dtype), bias.to(x.dtype)
            inner = self._outputs(place, (len(x), len(bias)), x.dtype)
            torch.addmm(bias, x, weight.t(), out=inner)
            y = inner if activation is None else activation(inner)
            self._passed.append(_Passed(x, weight, inner, y))
            x = y
        return x

    def backward(self, gradient: Tensor, *, of_input: bool = True) -> Tensor:
        """Find the weights' gradients from that of what `forward` returned; return that of its input, if wanted."""
        for place in reversed(range(len(self._layers))):
            (x, weight, inner, y), layer = self._passed[place], self._layers[place]
            if layer.activation is not None:
                BACKWARD[type(layer.activation)](layer.activation, inner, y, gradient)
            torch.mm(gradient.t(), x, out=layer.of_weight)
            torch.sum(gradient, 0, out=layer.of_bias)
            if of_input or place > 0:
                gradient = torch.mm(gradient, weight, out=self._gradients(place, x.shape, x.dtype))
        return gradient


def _dense_layers(model: VAE) -> tuple[list[nn.Module], list[nn.Module]] | None:
    """Return those of the encoder and of the decoder, or None if the model is not made as `WrittenGradient` says."""
    encoder, decoder, parameters = model.encoder, model.decoder, list(model.parameters())
    if not (
        type(encoder) is nn.Sequential
        and type(decoder) is nn.Sequential
        and is_plain(model)
        and all(p.device.type == "cpu" for p in parameters)
    ):
        return None
    inwards, outwards = list(encoder)[1:], list(decoder)[:-1]
    dense = (
        _alternate(inwards)
        and _alternate(outwards)
        and type(encoder[0]) is nn.Flatten
        and (encoder[0].start_dim, encoder[0].end_dim) == (1, -1)
        and type(decoder[-1]) is nn.Unflatten
        and len(parameters) == 2 * (len(inwards[::2]) + len(outwards[::2]))  # a weight and a bias of its own for each
    )
    return (inwards, outwards) if dense else None


def _alternate(layers: list[nn.Module]) -> bool:
    return (
        len(layers) % 2 == 1
        and all(type(layer) is nn.Linear for layer in layers[::2])
        and all(type(layer) in BACKWARD for layer in layers[1::2])
        and not any(isinstance(layer, nn.SiLU) and layer.inplace for layer in layers)  # what went in would be gone
    )
