"""A VAE made of somebody else's encode and decode, whatever forms of images, codes and pixels they take and give."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vaeviz.models.borrow import Borrowed
from vaeviz.models.objective import Posterior
from vaeviz.models.vae import VAE

Output = Literal["logits", "probabilities"]
Shape = tuple[int, ...]

NO_SPREAD = -30.0
"""Log variance given to a code that has no posterior: σ of 3e-7."""

CLOSEST = 1e-6
"""Probabilities are turned into logits no closer to 0 and 1 than this."""

PROBES = 64
"""Codes that are decoded to see whether the decoder gives logits or probabilities."""

MU = ("mu", "mean", "loc", "embedding")
LOGVAR = ("logvar", "log_var", "log_variance", "log_covariance")
PIXELS = ("reconstruction", "recon_x", "x_recon", "sample", "probs", "mean")


class Form(NamedTuple):
    """What a foreign encode takes and gives, and a foreign decode takes and gives.

    Attributes
    ----------
    flat : bool
        Whether encode takes (B, C·H·W) instead of (B, C, H, W).
    code : tuple of int
        Shape of one code as encode gives and decode takes it; L is its product.
    kind : str
        "pair" of mean and log variance, "halves" of one tensor, or "code" without a posterior.
    output : str
        What decode gives: "logits" or "probabilities".
    """

    flat: bool
    code: Shape
    kind: Literal["pair", "halves", "code"]
    output: Output


class ForeignVAE(VAE):
    """A `VAE` over somebody else's functions, in the form that was found or said.

    Parameters
    ----------
    encode, decode : Borrowed
    image_shape : tuple of int
        (C, H, W).
    form : Form
    name : str, optional
        What to call it; by default what the functions are called.
    """

    def __init__(
        self, encode: Borrowed, decode: Borrowed, image_shape: Sequence[int], form: Form, name: str | None = None
    ) -> None:
        shape = tuple(image_shape)
        super().__init__(ForeignEncoder(encode, form), ForeignDecoder(decode, shape, form), math.prod(form.code))
        self.form = form
        names = dict.fromkeys([name] if name else [encode.called, decode.called])
        latent = f"{self.latent_dim}-D"
        self._words = f"{next(iter(names))}, {latent}" if len(names) == 1 else f" → {latent} → ".join(names)

    def describe(self) -> str:
        """Name the model in one short line, and what its decoder's output was taken for."""
        return f"{self._words} ({self.form.output})"


class ForeignEncoder(nn.Module):
    """Images (B, C, H, W) to a pair (mu, logvar), each (B, L)."""

    def __init__(self, encode: Borrowed, form: Form) -> None:
        super().__init__()
        self.borrowed = encode
        self._form = form

    def forward(self, x: Float[Tensor, "B C H W"]) -> Posterior:
        """Encode images with the borrowed function."""
        given = read_code(self.borrowed(x.flatten(1) if self._form.flat else x))
        mu, logvar = (each if each is None else each.flatten(1) for each in given)
        assert mu is not None
        if self._form.kind == "halves":
            return Posterior(*mu.chunk(2, dim=1))
        return Posterior(mu, torch.full_like(mu, NO_SPREAD) if logvar is None else logvar)


class ForeignDecoder(nn.Module):
    """Codes (B, L) to logits (B, C, H, W)."""

    def __init__(self, decode: Borrowed, image_shape: Shape, form: Form) -> None:
        super().__init__()
        self.borrowed = decode
        self._image_shape = image_shape
        self._form = form

    def forward(self, z: Float[Tensor, "B L"]) -> Float[Tensor, "B C H W"]:
        """Decode codes with the borrowed function."""
        pixels, _ = read_pixels(self.borrowed(z.reshape(len(z), *self._form.code)))
        images = pixels.reshape(len(z), *self._image_shape)
        return images if self._form.output == "logits" else torch.logit(images.float(), eps=CLOSEST)


def adapt(
    encode: Callable[..., Any],
    decode: Callable[..., Any],
    images: Float[Tensor, "B C H W"],
    output: Output | Literal["auto"] = "auto",
    name: str | None = None,
) -> tuple[ForeignVAE, list[str]]:
    """Make a `VAE` of somebody else's encode and decode; whatever is tried is tried on a copy, on the CPU.

    Parameters
    ----------
    encode, decode : callable
        As `Borrowed` takes them.
    images : Tensor, shape (B, C, H, W)
        A few examples in [0, 1].
    output : str
        What decode gives: "logits", "probabilities" (anything in [0, 1]), or "auto": probabilities if all that is
        decoded lies in [0, 1].
    name : str, optional
        What to call it.

    Returns
    -------
    ForeignVAE
        Over the functions themselves, not over copies of their modules.
    list of str
        What the person should know about it, in sentences.

    Raises
    ------
    ValueError
        If a function has no weights to copy, can't be copied, or gives what is no code, or no image of that shape.
    """
    if output not in (*get_args(Output), "auto"):
        raise ValueError(f"output={output!r}: must be 'logits', 'probabilities' or 'auto'")
    own = Borrowed(encode, "encode"), Borrowed(decode, "decode")
    try:
        twins = copy.deepcopy(own)
        for twin in twins:
            twin.cpu().eval()
    except Exception as error:  # whatever a module of somebody else's may raise
        raise ValueError(f"the model can't be copied, so its weights can't be kept: {error}") from error
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        form, drew = _find_form(*twins, images.float(), output)
    vae = ForeignVAE(*own, images.shape[1:], form, name)
    return vae, [
        "encode draws random numbers, so that looking at the model moves the random stream of your training; give one"
        " that returns mean and log variance"
    ] * drew


def read_code(given: Any) -> tuple[Tensor, Tensor | None]:
    """Return the means and, if there are any, the log variances that an encoder's output holds.

    Raises
    ------
    ValueError
        If it is nothing that is known.
    """
    if isinstance(given, Tensor):
        return given, None
    if isinstance(given, torch.distributions.Distribution):
        return given.mean, given.variance.log()
    if hasattr(given, "latent_dist"):
        return read_code(given.latent_dist)
    mu, logvar = _first(given, MU), _first(given, LOGVAR)
    if mu is not None:
        return mu, logvar
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, Tensor) for part in given):
        return given[0], given[1]
    raise ValueError(
        f"encode gave {_told(given)}; expected codes, a pair (mu, logvar), a Posterior, a torch distribution, or an"
        f" object with {' or '.join(MU)}"
    )


def read_pixels(given: Any) -> tuple[Tensor, Output | None]:
    """Return the pixels that a decoder's output holds, and what they are if it says so.

    Raises
    ------
    ValueError
        If it is nothing that is known.
    """
    if isinstance(given, Tensor):
        return given, None
    if isinstance(given, torch.distributions.Distribution):
        logits = getattr(given, "logits", None)
        return (given.mean, "probabilities") if logits is None else (logits, "logits")
    logits = _first(given, ("logits",))
    if logits is not None:
        return logits, "logits"
    pixels = _first(given, PIXELS)
    if pixels is None:
        raise ValueError(
            f"decode gave {_told(given)}; expected a tensor, a torch distribution, or an object with logits or"
            f" {' or '.join(PIXELS)}"
        )
    return pixels, None


def _find_form(encode: Borrowed, decode: Borrowed, x: Tensor, output: Output | Literal["auto"]) -> tuple[Form, bool]:
    """Try in which form the functions work together; return it, and whether encode drew random numbers."""
    size, failures = x[0].numel(), []
    for flat in (False, True):
        before = torch.get_rng_state()
        try:
            mu, logvar = read_code(encode(x.flatten(1) if flat else x))
            drew = not torch.equal(before, torch.get_rng_state())
            for kind, code in _codes(mu, logvar, len(x)):
                try:
                    probes = torch.cat((torch.zeros(1, *code), torch.randn(PROBES - 1, *code)))
                    pixels, told = read_pixels(decode(probes))
                    if pixels.shape[:1] != (PROBES,) or pixels[0].numel() != size:
                        raise ValueError(
                            f"decode gave shape {tuple(pixels.shape)} for {PROBES} codes of shape {code}; it can't be"
                            f" an image of shape {tuple(x.shape[1:])}"
                        )
                except Exception as error:
                    failures.append(_failure("decode", f"codes of shape {code}", error))
                else:
                    return Form(flat, code, kind, told or _output(pixels, output)), drew
        except Exception as error:
            shape = tuple(x.shape[1:])
            words = f"flat images of {size} numbers" if flat else f"images of shape {shape} (C, H, W)"
            failures.append(_failure("encode", words, error))
    raise ValueError("; ".join(dict.fromkeys(failures)))


def _codes(mu: Tensor, logvar: Tensor | None, batch: int) -> Iterator[tuple[Any, Shape]]:
    """Yield what codes may be, most likely first."""
    if mu.ndim < 2 or len(mu) != batch or (logvar is not None and logvar.shape != mu.shape):
        shapes = str(tuple(mu.shape)) + ("" if logvar is None else f" and {tuple(logvar.shape)}")
        raise ValueError(f"encode gave shape {shapes} for {batch} images; expected ({batch}, L)")
    code = tuple(mu.shape[1:])
    yield "code" if logvar is None else "pair", code
    if logvar is None and len(code) == 1 and code[0] % 2 == 0:
        yield "halves", (code[0] // 2,)


def _output(pixels: Tensor, output: Output | Literal["auto"]) -> Output:
    if output != "auto":
        return output
    return "probabilities" if float(pixels.min()) >= 0 and float(pixels.max()) <= 1 else "logits"


def _failure(what: str, took: str, error: Exception) -> str:
    if isinstance(error, ValueError) and str(error).startswith(what):
        return str(error)
    return f"{what} can't take {took} ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"


def _first(given: Any, names: Sequence[str]) -> Tensor | None:
    """Return the first of these that an object or a mapping has, if it is a tensor."""
    for name in names:
        value = given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)
        if isinstance(value, Tensor):
            return value
    return None


def _told(given: Any) -> str:
    if isinstance(given, tuple | list):
        return f"a {type(given).__name__} of {len(given)}"
    return f"a {type(given).__name__}"
