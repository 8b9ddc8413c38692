"""Options of the command line that are made from `TrainConfig` and the models: each default is written once, there."""

import argparse
import ast
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.training import TrainConfig

MODELS: dict[str, type[DenseVAE] | type[ConvVAE]] = {"dense": DenseVAE, "conv": ConvVAE}
NONE = "none"


def add_config(group: argparse._ArgumentGroup) -> None:
    """Add an option for each field of `TrainConfig`, with what its docstring says."""
    words = field_words(TrainConfig)
    hints = get_type_hints(TrainConfig)
    for field in fields(TrainConfig):
        assert field.default is not MISSING
        default = NONE if field.default is None else field.default
        kind, choices = _kind(hints[field.name])
        told = f"{words[field.name]} (default: {default})".replace("%", "%%")
        metavar = None if choices else _metavar(kind)
        group.add_argument(
            option(field.name), dest=field.name, type=kind, choices=choices, default=argparse.SUPPRESS, help=told,
            metavar=metavar,
        )  # fmt: skip


def add_model(group: argparse._ArgumentGroup) -> None:
    """Add the options of the models that can be built by name."""
    group.add_argument("--model", choices=tuple(MODELS), default="dense", help="DenseVAE or ConvVAE (default: dense)")
    dense, conv = (_defaults(kind) for kind in MODELS.values())
    listed = " ".join(map(str, dense["hidden_sizes"]))
    sizes = " ".join(map(str, conv["channels"]))
    add = group.add_argument
    suppress = argparse.SUPPRESS
    add("--hidden-sizes", type=int, nargs="+", default=suppress, metavar="N",
        help=f"dense: widths of the encoder's layers, from the image inwards (default: {listed})")  # fmt: skip
    add("--channels", type=int, nargs="+", default=suppress, metavar="N",
        help=f"conv: channels of the encoder's convolutions, from the image inwards (default: {sizes})")  # fmt: skip
    add("--hidden-size", type=int, default=suppress, metavar="N",
        help=f"conv: width of the dense layer before the code (default: {conv['hidden_size']})")  # fmt: skip
    add("--latent-dim", type=int, default=suppress, metavar="N",
        help=f"dimensions of the code (default: {dense['latent_dim']})")  # fmt: skip
    add("--activation", default=suppress, metavar="NAME",
        help=f"elu, relu, gelu, silu, tanh, leaky_relu or softplus (default: {dense['activation']})")  # fmt: skip
    add("--dropout", type=float, default=suppress, metavar="P",
        help=f"probability that a hidden unit is dropped in training (default: {dense['dropout']})")  # fmt: skip


def config_of(options: argparse.Namespace) -> TrainConfig:
    """Return the configuration that was asked for.

    Raises
    ------
    ValueError
        As `TrainConfig` does.
    """
    return TrainConfig(**config_given(options))


def config_given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the configuration that were given, by name."""
    return {field.name: getattr(options, field.name) for field in fields(TrainConfig) if field.name in options}


def model_given(options: argparse.Namespace) -> tuple[type[DenseVAE] | type[ConvVAE], dict[str, Any]]:
    """Return the kind of model and the arguments that were given.

    Raises
    ------
    ValueError
        If one of them is of the other kind of model.
    """
    kind = MODELS[options.model]
    every = {name for each in MODELS.values() for name in _defaults(each)}
    given = {name: getattr(options, name) for name in every if name in options}
    for name in given:
        if name not in _defaults(kind):
            (other,) = (word for word, each in MODELS.items() if name in _defaults(each))
            raise ValueError(f"{option(name)} is of --model {other}; this is --model {options.model}")
    return kind, given


def option(name: str) -> str:
    """Return the option of a field."""
    return f"--{name.replace('_', '-')}"


def field_words(record: type) -> Mapping[str, str]:
    """Return the docstring under each field of a record."""
    (body,) = ast.parse(inspect.getsource(record)).body
    assert isinstance(body, ast.ClassDef)
    words = {}
    for line, after in zip(body.body, body.body[1:], strict=False):
        told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and after.value.value
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(told, str):
            words[line.target.id] = " ".join(told.split()).rstrip(".")
    return words


def _defaults(kind: type) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters
    return {name: each.default for name, each in parameters.items() if name not in ("image_shape", "generator")}


def _kind(hint: Any) -> tuple[Callable[[str], Any], tuple[str, ...] | None]:
    if get_origin(hint) is Literal:
        return str, get_args(hint)
    if isinstance(hint, types.UnionType):
        (plain,) = (each for each in get_args(hint) if each is not type(None))
        return _or_none(plain), None
    return hint, None


def _or_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(word: str) -> Any:
        return None if word == NONE else kind(word)

    convert.__name__ = f"{getattr(kind, '__name__', kind)} or {NONE}"
    return convert


def _metavar(kind: Callable[[str], Any]) -> str:
    name = getattr(kind, "__name__", "")
    return "N" if name.startswith("int") else "X" if name.startswith("float") else "NAME"
