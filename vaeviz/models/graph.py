"""What a VAE is made of, layer by layer, as torch itself ran it: names, shapes and parameters, for a drawing of it."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torchinfo
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList
from torchinfo.layer_info import LayerInfo

from vaeviz.models.borrow import Borrowed
from vaeviz.models.foreign import ForeignDecoder, ForeignEncoder
from vaeviz.models.objective import elbo
from vaeviz.models.vae import VAE

Shape = tuple[int, ...]

WRAPPERS = ForeignEncoder, ForeignDecoder, Borrowed
"""They hold the whole model of somebody else, of which only what ran belongs to the scope."""

OF_WRAPPERS = "borrowed.parts.0."


class Layer(NamedTuple):
    """One step from input to output: a module that ran, or a formula.

    Attributes
    ----------
    name : str
        The module's path in its scope, such as "0" or "body.conv1"; the scope's own name for the whole of it.
    kind : str
        The module's class, such as "Linear", or the formula.
    settings : str
        What the module says of itself, such as "p=0.5"; often empty.
    input_shape, output_shape : tuple of int
        With the batch; of the first tensor, where there are several.
    parameters : int
        How many numbers the layer has that no layer before it in the scope has.
    trainable : int
        How many of them are trained; the rest are frozen.
    reused : bool
        Whether the same module stands further up in the scope too.
    """

    name: str
    kind: str
    settings: str
    input_shape: Shape
    output_shape: Shape
    parameters: int = 0
    trainable: int = 0
    reused: bool = False


class Scope(NamedTuple):
    """One part of a VAE.

    Attributes
    ----------
    name : str
        "encoder", "posterior", "decoder" or "objective".
    input_shape, output_shape : tuple of int
        With the batch; of the first tensor, where there are several.
    layers : tuple of Layer
        In the order in which they ran. What is computed between modules, such as the sum of a residual block, is no
        layer; a module with parts is one only where it has parameters beside those of its parts.
    parameters, trainable : int
        The sums over the layers, which are those of the whole part; what two layers share counts once.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """Sum over the layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable(self) -> int:
        """Sum over the layers."""
        return sum(layer.trainable for layer in self.layers)


class ModelGraph(NamedTuple):
    """The four parts of a VAE, from images to the loss.

    Attributes
    ----------
    encoder : Scope
        From images (B, C, H, W) to what it gives.
    posterior : Scope
        "mu", "logvar" and "z", each (B, L).
    decoder : Scope
        From codes (B, L) to logits (B, C, H, W).
    objective : Scope
        "reconstruction" (B,), "kl" (B, L) and "loss" ().
    parameters, trainable : int
        Of the whole model; what encoder and decoder share counts once.
    """

    encoder: Scope
    posterior: Scope
    decoder: Scope
    objective: Scope
    parameters: int
    trainable: int

    @property
    def scopes(self) -> tuple[Scope, Scope, Scope, Scope]:
        """The four parts, in the order in which data flows."""
        return self.encoder, self.posterior, self.decoder, self.objective


def model_graph(vae: VAE, image_shape: Sequence[int], batch: int = 1) -> ModelGraph:
    """Run a VAE on empty images and tell of the layers that ran.

    It is a copy that runs, on the CPU and in eval mode, and torch's global random stream is put back: the model is left
    as it was.

    Parameters
    ----------
    vae : VAE
        On any device, in training or eval mode.
    image_shape : sequence of int
        (C, H, W) of the images.
    batch : int
        How many images, B; at least 1.

    Returns
    -------
    ModelGraph

    Raises
    ------
    ValueError
        If batch is below 1, the model can't be copied, encoder or decoder can't be run on such images, or one of them
        gives a wrong shape.
    """
    if batch < 1:
        raise ValueError(f"batch={batch}: must be a whole number from 1")
    model = _copy(vae)
    x = torch.zeros((batch, *image_shape), dtype=next(model.parameters(), torch.empty(0)).dtype)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        encoder = _scope("encoder", model.encoder, x)
        posterior = _run("encoder", model.encode, x)
        decoder = _scope("decoder", model.decoder, posterior.mu)
        logits = _run("decoder", model.decode, posterior.mu)
        if logits.shape != x.shape:
            raise ValueError(f"the decoder gave shape {tuple(logits.shape)}; expected {tuple(x.shape)} of the images")
        cost = elbo(logits, x, posterior)

    images, code = tuple(logits.shape), tuple(posterior.mu.shape)
    total, trainable = _count(model.parameters())
    mu = Layer("mu", "mean", "", encoder.output_shape, code)
    logvar = Layer("logvar", "log σ²", "", encoder.output_shape, code)
    z = Layer("z", "mu + σ · ε", "ε ~ N(0, I)", code, code)
    reconstruction = Layer(
        "reconstruction", "−log p(x | z)", "Bernoulli, nats", images, tuple(cost.reconstruction.shape)
    )
    kl = Layer("kl", "KL(q(z | x) || N(0, I))", "nats", code, tuple(cost.kl.shape))
    loss = Layer("loss", "mean(reconstruction + beta · KL)", "nats per example", reconstruction.output_shape, ())
    return ModelGraph(
        encoder,
        Scope("posterior", encoder.output_shape, code, (mu, logvar, z)),
        decoder,
        Scope("objective", images, (), (reconstruction, kl, loss)),
        total,
        trainable,
    )


def _copy(vae: VAE) -> VAE:
    """Return a copy in eval mode, so that what runs is nobody's: no mode, buffer or counter of the model changes."""
    try:
        return copy.deepcopy(vae).cpu().eval()
    except Exception as error:  # whatever a module of somebody else's may raise
        raise ValueError(f"the model can't be copied, so its layers can't be shown: {error}") from error


def _run(part: str, step: Callable[[Tensor], Any], x: Tensor) -> Any:
    """Run a step; what a module raises becomes one clear sentence."""
    try:
        return step(x)
    except ValueError:  # of the VAE itself, which tells of shapes
        raise
    except Exception as error:  # whatever a module of somebody else's may raise
        cause = error.__cause__ or error  # torchinfo's own error tells of nothing but torchinfo
        raise ValueError(f"the {part} can't be run on an input of shape {tuple(x.shape)}: {cause}") from error


def _scope(part: str, module: nn.Module, x: Tensor) -> Scope:
    """Run one part and tell of its layers."""
    ran: list[LayerInfo] = _run(part, lambda data: _ran(module, data), x)
    whole = ran[0]  # began before all that is inside it
    return Scope(part, tuple(whole.input_size), tuple(whole.output_size), tuple(_layers(part, module, ran)))


def _ran(module: nn.Module, x: Tensor) -> list[LayerInfo]:
    """Return what torchinfo saw of every module that ran, in the order in which they began."""
    summary = torchinfo.summary(module, input_data=x, mode="eval", verbose=0)
    torchinfo.torchinfo.clear_cached_forward_pass()  # which would keep the copy's weights in memory
    # What computes a weight, such as weight norm, belongs to the layer whose weight it is.
    of_weights = [inner for inner in module.modules() if isinstance(inner, ParametrizationList)]
    hidden = {id(inner) for outer in of_weights for inner in outer.modules()}
    return [info for info in summary.summary_list if info.executed and info.layer_id not in hidden]


def _layers(part: str, root: nn.Module, ran: list[LayerInfo]) -> Iterator[Layer]:
    names = _paths(root)
    began = {info.layer_id for info in ran}
    counted: set[int] = set()
    calls: Counter[int] = Counter()
    for info in ran:
        inside = [inner for inner in list(info.module.modules())[1:] if id(inner) in began]
        elsewhere = counted.union(id(p) for inner in inside for p in inner.parameters())
        own = [p for p in info.module.parameters() if id(p) not in elsewhere]
        counted.update(map(id, own))
        call = calls[info.layer_id]
        calls[info.layer_id] += 1
        if inside and (not own or isinstance(info.module, WRAPPERS)):
            continue
        paths = names[info.layer_id]
        path = paths[min(call, len(paths) - 1)].removeprefix(OF_WRAPPERS)
        yield Layer(
            path or part,
            info.class_name,
            info.module.extra_repr(),
            tuple(info.input_size),
            tuple(info.output_size),
            *_count(own),
            reused=call > 0,
        )


def _paths(root: nn.Module) -> dict[int, list[str]]:
    """Return every path at which each module stands."""
    paths: dict[int, list[str]] = {}
    for path, module in root.named_modules(remove_duplicate=False):
        paths.setdefault(id(module), []).append(path)
    return paths


def _count(parameters: Iterable[nn.Parameter]) -> tuple[int, int]:
    """Return how many numbers the parameters hold, and how many of them are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in parameters]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)
