"""The controls of a route: from A to B, a morph, a walk, or a line drawn by hand."""

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui

from vaeviz.views.journey import checked_stops, example_row
from vaeviz.views.view import COMPACT, View, switch, text, toggle

ROW_CSS = """
:host { display: flex; flex-direction: row; align-items: center; gap: 6px; min-height: 34px; padding: 4px 12px 4px 4px;
  flex-wrap: nowrap; overflow: hidden; }
"""
ENTRY = {
    "& .MuiInputBase-root": {"height": "26px"},
    "& .MuiInputBase-input": {"padding": "2px 8px", "fontSize": "12px"},
}
HINT_CSS = """
:host { margin: 0; font-size: 12px; opacity: .7; white-space: nowrap; min-width: 0; flex: 0 1 auto; }
div { overflow: hidden; text-overflow: ellipsis; }
"""


class RouteControls(View):
    """One row with what the state's route needs, and nothing else. What can't be taken is told, and changes nothing.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._telling = False  # whether a field changes because the state did
        self._make_fields()
        kind = switch(self.state.param.path_kind)
        self._parts = {
            "A to B": (*self.examples, self._button("A, B from selection", self._on_pick), kind),
            "morph": (
                self._button("one of each class", self._on_typical), self._button("from selection", self._on_chosen),
                text("frames a leg", css=HINT_CSS), self.leg, kind,
            ),
            "walk": (
                text("seed", css=HINT_CSS), self.seed, self._button("another walk", self._on_another),
                text("frames", css=HINT_CSS), self.length,
            ),
            "drawn": (
                toggle(self.state.param.drawing, "✎ pencil", description=""),
                text("while the pencil is on, a drag on a plane draws the route", css=HINT_CSS),
            ),
        }  # fmt: skip
        self._every = [*(part for parts in self._parts.values() for part in parts if part is not kind), kind]
        for part in self._every:
            part.align = "center"
        self._layout = pn.Row(stylesheets=[ROW_CSS], margin=0, sizing_mode="stretch_width")
        names = ["endpoint_rows", "frames_per_leg", "walk_seed", "walk_frames", "run"]
        self.state.param.watch(self._update_fields, names)
        self.state.param.watch(self._update_route, "route")
        self._update_fields()
        self._update_route()

    def _make_fields(self) -> None:
        self.examples = [
            self._entry(f"{name}: example #", 112, lambda event, which=which: self._on_example(which, event.new))
            for which, name in enumerate("AB")
        ]  # fmt: skip
        self.leg = self._entry("frames a leg", 56, self._on_leg)
        self.seed = self._entry("seed", 76, self._on_seed)
        self.length = self._entry("frames", 64, self._on_length)

    def _entry(self, name: str, width: int, on_value: Callable) -> pmui.TextInput:
        entry = pmui.TextInput(label="", placeholder=name, size="small", margin=0, width=width, sx=ENTRY)
        entry.param.watch(on_value, "value")
        return entry

    def _button(self, label: str, on_click: Callable, **params) -> pmui.Button:
        return pmui.Button(
            label=label, size="small", variant="outlined", margin=0, sx=COMPACT, on_click=on_click, **params
        )

    # What a person does

    def _on_example(self, which: int, words: str) -> None:
        if self._telling:
            return
        state = self.state
        try:
            row = example_row(words, len(state.frame.snapshot.ids)) if words.strip() else None
        except ValueError as error:
            self._refuse(self.examples[which], f"{'AB'[which]}, {error}")
            return
        self.examples[which].error_state = False
        if row is None:
            state.place_endpoint(which, state.endpoints[which])
        else:
            state.follow_example(which, row)

    def _on_pick(self, _) -> None:
        rows = self.state.selection
        if len(rows) < 2:
            self.state.alert = f"{len(rows)} selected: A and B need 2 examples, the first and the last of a selection"
            return
        self.state.follow_example(0, rows[0])
        self.state.follow_example(1, rows[-1])

    def _on_typical(self, _) -> None:
        self.state.morph_rows = []

    def _on_chosen(self, _) -> None:
        try:
            self.state.morph_rows = checked_stops(self.state.selection)
        except ValueError as error:
            self.state.alert = str(error)

    def _on_leg(self, event) -> None:
        self._take(self.leg, "frames_per_leg", event.new)

    def _on_seed(self, event) -> None:
        self._take(self.seed, "walk_seed", event.new)

    def _on_length(self, event) -> None:
        self._take(self.length, "walk_frames", event.new)

    def _on_another(self, _) -> None:
        self.state.walk_seed += 1

    def _take(self, field: pmui.TextInput, name: str, words: str) -> None:
        """Give the state the number in a field, if it is one that it takes."""
        if self._telling:
            return
        least, most = self.state.param[name].bounds
        digits = words.strip().replace(",", "")
        whole = digits.isascii() and digits.isdigit() and len(digits) < 12
        if not whole or not least <= int(digits) <= (most or int(digits)):
            allowed = f"from {least}" if most is None else f"from {least} to {most:,}"
            self._refuse(field, f"{field.placeholder} is {words!r}: it must be a whole number {allowed}")
            return
        field.error_state = False
        setattr(self.state, name, int(digits))

    def _refuse(self, field: pmui.TextInput, reason: str) -> None:
        field.error_state = True
        self.state.alert = reason

    # What follows from state

    def _update_fields(self, *_) -> None:
        state = self.state
        values = [("" if row is None else str(row)) for row in state.endpoint_rows]
        self._telling = True
        try:
            for entry, value in zip(self.examples, values, strict=True):
                entry.param.update(value=value, error_state=False)
            for entry, name in ((self.leg, "frames_per_leg"), (self.seed, "walk_seed"), (self.length, "walk_frames")):
                entry.param.update(value=str(getattr(state, name)), error_state=False)
        finally:
            self._telling = False

    def _update_route(self, *_) -> None:
        state = self.state
        needed = {*self._layout.objects, *self._parts[state.route]}  # the others are made when their route is taken
        for part in self._every:
            part.visible = part in self._parts[state.route]
        self._layout.objects = [part for part in self._every if part in needed]
        # With nothing drawn there is nothing to see: one begins with the pencil.
        state.drawing = state.route == "drawn" and (state.drawing or len(state.drawn) < 2)
