"""One form for every figure: a line on the terminal, a row of JSON, a row of the README's table."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Figure(NamedTuple):
    """A figure that was measured, and what it is to be.

    Attributes
    ----------
    what : str
    value : float
        In the unit; what is held against the target.
    unit : str
        "ms", "s", "×", "%", "nats" or "MB".
    target : float, optional
    at_least : bool
        Whether the target is the least, and not the most.
    spread : str
        In words: what lies around the value.
    """

    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    spread: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def aim(self) -> str:
        """The target in words."""
        return "" if self.target is None else f"{'≥' if self.at_least else '≤'} {self.target:g} {self.unit}"

    @property
    def told(self) -> str:
        """The value in words, with three digits; nats with two after the point."""
        digits = 2 if self.unit == "nats" else 0 if abs(self.value) >= 100 else 1 if abs(self.value) >= 10 else 2
        return f"{self.value:,.{digits}f} {self.unit}"


def delays(what: str, samples: ArrayLike, target: float | None = None) -> Figure:
    """Return the 95th percentile of samples in milliseconds, with median and worst around it."""
    median, p95, worst = np.percentile(np.asarray(samples), (50, 95, 100))
    spread = f"95 % of {np.size(samples)}; median {median:.0f}, worst {worst:.0f}"
    return Figure(what, float(p95), "ms", target, spread=spread)


def tell(figures: Iterable[Figure]) -> None:
    """Print figures, one a line."""
    for figure in figures:
        verdict = {True: "met", False: "NOT MET", None: ""}[figure.met]
        aim = f"target {figure.aim}: {verdict}" if figure.aim else ""
        print(f"{figure.what:62s} {figure.told:>12s}  {aim:28s} {figure.spread}")


def write(figures: Iterable[Figure], file: Path) -> None:
    """Write figures into a file of JSON."""
    file.write_text(json.dumps([figure._asdict() for figure in figures], indent=1, ensure_ascii=False))


def read(file: Path) -> list[Figure]:
    """Return the figures of a file."""
    return [Figure(**row) for row in json.loads(file.read_text())]
