"""The architectures that can be built from their name and configuration alone, as a saved run tells of them."""

from collections.abc import Mapping
from typing import Any

import torch

from vaeviz.models.conv import ConvVAE
from vaeviz.models.dense import DenseVAE
from vaeviz.models.vae import VAE

KINDS: dict[str, type[DenseVAE] | type[ConvVAE]] = {"DenseVAE": DenseVAE, "ConvVAE": ConvVAE}
MOST_LAYERS = 64


def kind_of(model: VAE) -> str | None:
    """Return the name under which `build_on_meta` builds such a model; None of any other class."""
    return next((name for name, kind in KINDS.items() if type(model) is kind), None)


def build_on_meta(kind: str, config: Mapping[str, Any]) -> VAE:
    """Build an architecture without taking memory for its weights, however large they are said to be.

    Its tensors lie on torch's "meta" device: compare their shapes with what there is, then call ``to_empty``.

    Raises
    ------
    ValueError
        If there is no such kind, or the configuration is not one of its.
    """
    if kind not in KINDS:
        raise ValueError(f"model kind {kind!r}: must be one of {', '.join(KINDS)}")
    for name, value in config.items():
        if isinstance(value, list) and len(value) > MOST_LAYERS:
            raise ValueError(f"{name} has {len(value):,} sizes: must have at most {MOST_LAYERS}")
    try:
        with torch.device("meta"):
            return KINDS[kind](**config)
    except (TypeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"the configuration is not that of a {kind} ({error})") from None
