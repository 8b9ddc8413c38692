"""What HoloViews calls when it has drawn a plot, without keeping alive whose it is."""

from collections.abc import Callable
from weakref import WeakMethod

import holoviews as hv

Hook = Callable[[hv.plotting.plot.Plot, hv.Element], None]


def weak_hooks(*methods: Hook) -> list[Hook]:
    """Return hooks that call bound methods as long as the objects live that they belong to.

    HoloViews keeps the options of a plot, its hooks among them, in a table of the whole process until the plot is gone.
    A view's own method there would keep the view, the view its plot, and so both, with their session, forever.
    """
    return [_weak(method) for method in methods]


def _weak(method: Hook) -> Hook:
    reference = WeakMethod(method)

    def call(plot: hv.plotting.plot.Plot, element: hv.Element) -> None:
        alive = reference()
        if alive is not None:
            alive(plot, element)

    return call
