"""The timeline: every kept step of the training, to be turned like a film."""

import html

import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.training.events import when
from vaeviz.views.rail import Rail
from vaeviz.views.view import COMPACT, View, one_line, text

SPEEDS = {"½ ×": 1.0, "1 ×": 0.5, "2 ×": 0.25}
"""Seconds that a step stands while the timeline plays."""

BAR_CSS = """
:host { display: flex; flex-direction: row; align-items: center; gap: 8px; padding: 0 10px; height: 40px;
  background: var(--panel-surface-color, #fff); color: var(--panel-on-surface-color, #222); box-sizing: border-box;
  border: 1px solid color-mix(in srgb, currentColor 14%, transparent); border-radius: 10px; width: 100%; }
"""
LABEL_CSS = ":host { font-size: 12px; max-width: 190px; } :host > div > div { text-align: right; }"
LIVE = {
    "padding": "1px 10px", "fontSize": "12px", "textTransform": "none", "lineHeight": 1.6, "borderRadius": "12px",
    "&.Mui-selected, &.Mui-selected:hover": {"backgroundColor": "#2e9e4f", "color": "#fff !important"},
}  # fmt: skip


class Keys(pn.custom.JSComponent):
    """Hears the arrow keys, Home and End wherever the focus is, but in a field or at a control that has a use for them.

    Nothing of it is seen.
    """

    pressed = param.Tuple(("", 0), length=2, doc="The last key, and how many were pressed so far.")

    _esm = """
    const BUSY = "input, textarea, select, [role=slider], [role=menu], [role=listbox], [role=combobox], " +
      "[role=menuitem], [role=option], [contenteditable]"
    export function render({ model, el }) {
      const hear = (event) => {
        if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) { return }
        if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) { return }
        if (event.composedPath().some((node) => node.matches?.(BUSY))) { return }
        event.preventDefault()
        model.send_msg(event.key)
      }
      document.addEventListener("keydown", hear)
      model.on("remove", () => document.removeEventListener("keydown", hear))
      el.style.display = "none"
    }
    """

    def _handle_msg(self, key: str) -> None:
        self.pressed = key, self.pressed[1] + 1


class TimelineView(View):
    """A slider over the kept steps (0, round(2^(k/2)), the last), with play, speed, arrow keys, Home, End, and Live.

    It turns every view of its state to one step; training goes on meanwhile, and Live returns to it.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    playing = param.Boolean(False, doc="Whether the steps are shown one after the other.")
    seconds = param.Selector(default=0.5, objects=SPEEDS, doc="Seconds that a step stands while playing.")
    live = param.Boolean(True, doc="Whether the newest snapshot is shown.")

    cell_height = 46
    title = "Timeline"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._clock = None
        self._slider = Rail(self._on_slide, label="Kept steps")
        self._play = pmui.Toggle.from_param(
            self.param.playing, label="", icon="play_arrow", size="small", margin=0, sx=COMPACT,
            description="Play the training from the step shown; once more to pause",
        )  # fmt: skip
        self._speed = pmui.Select.from_param(
            self.param.seconds, label="", size="small", margin=0, sx=COMPACT, width=66,
            description="How fast the timeline plays",
        )  # fmt: skip
        self._words = text(css=one_line(20) + LABEL_CSS)
        self._keys = Keys(width=0, height=0, margin=0)
        self._live = pmui.Toggle.from_param(
            self.param.live, label="● Live", size="small", margin=0, sx=LIVE,
            description="Show the newest snapshot, and each that follows",
        )  # fmt: skip
        parts = self._play, self._speed, self._slider, self._words, self._live
        for part in parts:
            part.align = "center"
        self._layout = pn.Row(
            *parts, self._keys,
            stylesheets=[BAR_CSS], margin=0, sizing_mode="stretch_width",
        )  # fmt: skip
        self._keys.param.watch(self._on_key, "pressed")
        self.state.param.watch(self._update, ["kept", "frame", "live", "at", "run"])
        self._update()

    # What a person does

    def _on_slide(self, place: int) -> None:
        if 0 <= place < len(self.state.kept):
            self.state.go_to(self.state.kept[place])

    def _on_key(self, event) -> None:
        kept = self.state.kept
        here = self._slider.value
        to = {"ArrowLeft": here - 1, "ArrowRight": here + 1, "Home": 0, "End": len(kept) - 1}[event.new[0]]
        if 0 <= to < len(kept):
            self.playing = False
            self.state.go_to(kept[to])

    @param.depends("live", watch=True)
    def _on_live(self) -> None:
        if self.live == self.state.live:
            return
        if self.live:
            self.playing = False
            self.state.go_live()
        else:
            self.state.go_to(self.state.frame.snapshot.step)

    @param.depends("playing", "seconds", watch=True)
    def _on_play(self) -> None:
        if self._clock is not None:
            self._clock.stop()
            self._clock = None
        if self.playing:
            if self.state.live or self.state.at == self.state.kept[-1]:
                self.state.go_to(self.state.kept[0])
            self._clock = pn.state.add_periodic_callback(self._advance, period=int(1000 * self.seconds))

    async def _advance(self) -> None:
        if not self.state.is_behind:
            self.advance()

    def advance(self) -> None:
        """Show the next kept step; the last one ends the film."""
        if self.state.frame.snapshot.step != self.state.at:
            return  # still on its way to the screen: no step is skipped
        later = [step for step in self.state.kept if step > self.state.at]
        if self.state.live or not later:
            self.playing = False
        else:
            self.state.go_to(later[0])

    # What follows from state

    def _update(self, *_) -> None:
        state = self.state
        kept = state.kept or [0]
        here = len(kept) - 1 if state.live or state.at not in kept else kept.index(state.at)
        self._slider.param.update(end=max(1, len(kept) - 1), value=here, disabled=len(kept) < 2)
        self.live = state.live
        if state.live:
            self.playing = False
        snapshot = state.frame.snapshot
        words = when(snapshot.step, snapshot.epoch, 2).replace(f"{snapshot.step:,}", f"<b>{snapshot.step:,}</b>", 1)
        self._words.object = f"<div title='{html.escape(state.run.dataset.name)}'>{words}</div>"
