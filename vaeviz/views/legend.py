"""The legend of the classes: which are drawn, and one alone."""

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.views.palette import INK, class_colors

LEGEND_CSS = """
:host { display: flex; flex-wrap: wrap; justify-content: center; gap: 2px; padding: 0 8px 6px; min-height: 26px; }
"""
CHIPS_CSS = """
.vv-chips { display: flex; flex-wrap: wrap; justify-content: center; gap: 2px; }
button { min-width: 26px; max-width: 100%; padding: 0 7px; box-sizing: border-box; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; font: inherit; font-size: 12px; font-weight: 500; line-height: 20px;
  letter-spacing: .02857em; color: inherit; background: none; border: 2px solid var(--vv-chip); border-radius: 10px;
  cursor: pointer; }
button:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
button:focus-visible { outline: 2px solid currentColor; outline-offset: 1px; }
button[aria-pressed=true] { color: #111; background: var(--vv-chip); }
"""
ROW_HEIGHT = 24
"""Pixels. The chips have their room before they are there: what grows has all that is around it laid out anew."""

SOLO = "solo", INK, "While on, a click on a class shows it alone; a second click shows all again"
MANY_CLASSES = 10


class Chips(pn.custom.JSComponent):
    """Small buttons in a row, each pressed or not: one part of the page, where a widget for each would be a dozen."""

    chips = param.List([], doc="The name, colour and title of each.")
    pressed = param.List([], doc="Which of them are pressed: a boolean for each.")

    _esm = """
    export function render({ model, el }) {
      const row = document.createElement("div")
      row.className = "vv-chips"
      const press = () => {
        [...row.children].forEach((button, i) => button.setAttribute("aria-pressed", model.pressed[i] ?? false))
      }
      const build = () => {
        row.replaceChildren(...model.chips.map(([name, color, title], i) => {
          const button = document.createElement("button")
          Object.assign(button, {type: "button", textContent: name, title})
          button.style.setProperty("--vv-chip", color)
          button.addEventListener("click", () => model.send_msg(i))
          return button
        }))
        press()
      }
      model.on("chips", build)
      model.on("pressed", press)
      build()
      el.append(row)
    }
    """

    def __init__(self, on_click: Callable[[int], None], **params) -> None:
        super().__init__(
            stylesheets=[CHIPS_CSS], margin=0, sizing_mode="stretch_width", min_height=ROW_HEIGHT, **params
        )
        self._handle_msg = on_click


class Legend(pn.viewable.Viewer):
    """A chip for each class, which shows or hides it; with more than ten, a search.

    With `solo` on, a click on a chip shows its class alone. A click on the only class that is shown brings back all.
    """

    hidden = param.List([], doc="Class numbers that are not drawn.")
    solo = param.Boolean(False, doc="Whether a click shows one class alone.")

    def __init__(self, **params) -> None:
        super().__init__(**params)
        self.box = pn.Column(stylesheets=[LEGEND_CSS], margin=0, sizing_mode="stretch_width")
        self._chips = Chips(self.click)
        self._count = 0

    def show(self, names: tuple[str, ...]) -> None:
        """Begin anew with these classes, all shown."""
        self._count = len(names)
        self.hidden = []
        self._update_chips()
        if self._count > MANY_CLASSES:
            search = pmui.MultiChoice(
                label="Show only these classes", options={name: i for i, name in enumerate(names)}
            )
            search.param.watch(self._on_search, "value")
            self.box.objects = [search]
        elif names:
            chips = [
                (name, color, f"Show or hide {name}")
                for name, color in zip(names, class_colors(self._count), strict=True)
            ]
            self._chips.chips = [*chips, SOLO] if self._count > 2 else chips
            self.box.objects = [self._chips]
        else:
            self.box.objects = []

    def click(self, number: int) -> None:
        """Do what a click on a chip does; the one after the classes is solo."""
        everything = set(range(self._count))
        if number == self._count:
            self.solo = not self.solo
        elif everything - set(self.hidden) == {number}:
            self.hidden = []
        elif self.solo:
            self.hidden = sorted(everything - {number})
        else:
            self.hidden = sorted(set(self.hidden) ^ {number})

    def _on_search(self, event: param.parameterized.Event) -> None:
        self.hidden = [i for i in range(self._count) if i not in event.new] if event.new else []

    @param.depends("hidden", "solo", watch=True)
    def _update_chips(self) -> None:
        self._chips.pressed = [*(number not in self.hidden for number in range(self._count)), self.solo]

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box
