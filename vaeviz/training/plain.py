"""Whether a model is made of nothing but known layers, so that its step can be done in another, quicker way."""

from typing import Any

from torch import nn

from vaeviz.models import VAE, ConvVAE, DenseVAE, Dropout

_OURS = {VAE, DenseVAE, ConvVAE, Dropout}
_METHODS = {"forward", "elbo", "encode", "decode"}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def is_plain(model: VAE) -> bool:
    """Whether a step of a model does nothing but arithmetic.

    That is known of torch's and vaeviz's own layers. Somebody's own may count steps, draw from Python's random numbers
    or look at a value.
    """
    return all(map(_is_plain, model.modules())) and not any(hooks(model)) and not any(map(has_hook, model.parameters()))


def hooks(model: nn.Module) -> list[dict[int, Any]]:
    """Return where the hooks are kept of a model and all its parts; later ones are kept there, too."""
    return [getattr(module, kept) for module in model.modules() for kept in _HOOKS]


def has_hook(parameter: nn.Parameter) -> bool:
    """Whether something waits to be called with a parameter's gradient."""
    return bool(parameter._backward_hooks or parameter._post_accumulate_grad_hooks)


def _is_plain(module: nn.Module) -> bool:
    kind = type(module)
    known = kind in _OURS or kind.__module__.startswith("torch.nn.modules.")
    looks_at_its_count = isinstance(module, nn.modules.batchnorm._NormBase) and module.momentum is None
    return known and not looks_at_its_count and _METHODS.isdisjoint(vars(module))
