"""A function of somebody else's, held together with the modules whose weights it uses, so that both can be copied."""

import copy
import functools
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from torch import Tensor, nn

Memo = dict[int, Any]


class Borrowed(nn.Module):
    """A function as a module that owns the modules which the function reaches.

    It computes with those very modules, so that training them trains it. A deep copy computes with copies of them: a
    method belongs to the copy of its object then, and a plain function is bound to copies of what it names.

    Parameters
    ----------
    function : callable
        A module, a method of one or of an object that has some, a plain function or lambda, or a partial of these.
    what : str
        What to call it in messages.

    Raises
    ------
    ValueError
        If it can't be called, or reaches no module: nothing could be copied then.
    """

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        super().__init__()
        if not callable(function):
            raise ValueError(f"{what}={function!r}: must be a function, such as model.{what}")
        if not isinstance(function, nn.Module | MethodType | FunctionType | functools.partial):
            function = MethodType(type(function).__call__, function)  # whose modules can be found
        found = {id(module): module for module in _modules(function, set())}
        if not found:
            raise ValueError(
                f"{what}={_name(function)} uses no torch module that can be found, so that no weights can be copied;"
                f" give a method of the model, such as model.{what}, or a function that names the model"
            )
        self.parts = nn.ModuleList(found.values())
        self._function = _Rebindable(function)

    def forward(self, x: Tensor) -> Any:
        """Call the function."""
        return self._function.function(x)

    @property
    def called(self) -> str:
        """The class of the module that it comes from; of several, the function's own name."""
        return type(self.parts[0]).__name__ if len(self.parts) == 1 else _name(self._function.function)


class _Rebindable:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __deepcopy__(self, memo: Memo) -> "_Rebindable":
        return _Rebindable(_rebound(self.function, memo))


def _modules(value: Any, seen: set[int]) -> Iterator[nn.Module]:
    """Yield the modules that a value is, or reaches, each once; not those inside of another."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, nn.Module):
        yield value
    else:
        for inner in _inside(value):
            yield from _modules(inner, seen)


def _inside(value: Any) -> list[Any]:
    """Return what a function or the owner of a method can reach."""
    match value:
        case MethodType():
            owner = value.__self__
            return [owner] if isinstance(owner, nn.Module) else list(_attributes(owner).values())
        case functools.partial():
            return [value.func, *value.args, *value.keywords.values()]
        case FunctionType():
            cells = [_contents(cell) for cell in value.__closure__ or ()]
            named = [value.__globals__[name] for name in _names(value.__code__) if name in value.__globals__]
            return [*cells, *(value.__defaults__ or ()), *named]
        case _:
            return []


def _attributes(owner: Any) -> dict[Any, Any]:
    return {name: each for name, each in getattr(owner, "__dict__", {}).items() if isinstance(each, nn.Module)}


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _names(code: CodeType) -> set[str]:
    """Return the names that code, or code inside it, asks of its globals."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _rebound(value: Any, memo: Memo) -> Any:
    """Return a value in which every module is a copy; what reaches no module stays as it is."""
    if isinstance(value, nn.Module):
        return copy.deepcopy(value, memo)
    if id(value) in memo:
        return memo[id(value)]
    if next(_modules(value, set()), None) is None:
        return value
    match value:
        case MethodType():
            return MethodType(value.__func__, _owner(value.__self__, memo))
        case functools.partial():
            keywords = {name: _rebound(each, memo) for name, each in value.keywords.items()}
            return functools.partial(
                _rebound(value.func, memo), *(_rebound(each, memo) for each in value.args), **keywords
            )
        case FunctionType():
            return _function(value, memo)
    return value


def _function(function: FunctionType, memo: Memo) -> FunctionType:
    known = function.__globals__
    names = {name: known[name] for name in ("__builtins__", "__name__", *_names(function.__code__)) if name in known}
    twin = FunctionType(
        function.__code__, names, function.__name__, None, tuple(CellType() for _ in function.__closure__ or ())
    )
    memo[id(function)] = twin  # before what it names, which may name it
    names.update({name: _rebound(each, memo) for name, each in names.items() if name != "__builtins__"})
    twin.__defaults__ = tuple(_rebound(each, memo) for each in function.__defaults__ or ()) or None
    twin.__kwdefaults__ = function.__kwdefaults__
    for cell, own in zip(function.__closure__ or (), twin.__closure__ or (), strict=True):
        own.cell_contents = _rebound(_contents(cell), memo)
    return twin


def _owner(owner: Any, memo: Memo) -> Any:
    if isinstance(owner, nn.Module):
        return copy.deepcopy(owner, memo)
    if id(owner) not in memo:
        memo[id(owner)] = twin = copy.copy(owner)
        for name, module in _attributes(owner).items():
            setattr(twin, name, copy.deepcopy(module, memo))
    return memo[id(owner)]


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
