"""The legend of the classes: which are drawn, and one alone."""

import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.views.palette import INK, class_colors

LEGEND_CSS = """
:host { display: flex; flex-wrap: wrap; justify-content: center; gap: 2px; padding: 0 8px 6px; min-height: 26px; }
"""
MANY_CLASSES = 10


class Legend(pn.viewable.Viewer):
    """A chip for each class, which shows or hides it; with more than ten, a search.

    With `solo` on, a click on a chip shows its class alone. A click on the only class that is shown brings back all.
    """

    hidden = param.List([], doc="Class numbers that are not drawn.")
    solo = param.Boolean(False, doc="Whether a click shows one class alone.")

    def __init__(self, **params) -> None:
        super().__init__(**params)
        self.box = pn.FlexBox(stylesheets=[LEGEND_CSS], margin=0)
        self._chips: list[pmui.Toggle] = []
        self._count = 0

    def show(self, names: tuple[str, ...]) -> None:
        """Begin anew with these classes, all shown."""
        self._chips, self._count = [], len(names)
        self.hidden = []
        if self._count > MANY_CLASSES:
            search = pmui.MultiChoice(
                label="Show only these classes", options={name: i for i, name in enumerate(names)}
            )
            search.param.watch(self._on_search, "value")
            self.box.objects = [search]
        elif names:
            colors = class_colors(self._count)
            self._chips = [self._chip(i, name, colors[i]) for i, name in enumerate(names)]
            self.box.objects = [*self._chips, *([self._solo()] if self._count > 2 else [])]
        else:
            self.box.objects = []

    def _chip(self, number: int, name: str, color: str) -> pmui.Toggle:
        chip = pmui.Toggle(
            label=name, value=True, margin=0, size="small", sx=_chip_style(color), description=f"Show or hide {name}"
        )
        chip.param.watch(lambda event: self._on_chip(number, event.new), "value")
        return chip

    def _solo(self) -> pmui.Toggle:
        return pmui.Toggle.from_param(
            self.param.solo, label="solo", margin=(0, 0, 0, 4), size="small", sx=_chip_style(INK),
            description="While on, a click on a class shows it alone; a second click shows all again",
        )  # fmt: skip

    def _on_chip(self, number: int, shown: bool) -> None:
        if shown == (number not in self.hidden):
            return  # the chip follows, and was not clicked
        everything = set(range(self._count))
        if everything - set(self.hidden) == {number}:
            self.hidden = []
        elif self.solo:
            self.hidden = sorted(everything - {number})
        else:
            self.hidden = sorted(set(self.hidden) ^ {number})
        self._update_chips()

    def _on_search(self, event: param.parameterized.Event) -> None:
        self.hidden = [i for i in range(self._count) if i not in event.new] if event.new else []

    @param.depends("hidden", watch=True)
    def _update_chips(self) -> None:
        for number, chip in enumerate(self._chips):
            chip.value = number not in self.hidden

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box


def _chip_style(color: str) -> dict:
    return {
        "minWidth": "26px",
        "padding": "0 7px",
        "fontSize": "12px",
        "lineHeight": "20px",
        "borderRadius": "10px",
        "textTransform": "none",
        "border": f"2px solid {color}",
        "&.Mui-selected, &.Mui-selected:hover": {"backgroundColor": color, "color": "#111"},
    }
