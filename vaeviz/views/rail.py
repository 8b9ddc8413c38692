"""A rail with a knob: a slider that tells what a person does with it, and never what the server did."""

from collections.abc import Callable

import panel as pn
import param

RAIL_CSS = """
:host { display: flex; align-items: center; flex: 1 1 auto; min-width: 60px; }
input { appearance: none; display: block; width: 100%; height: 22px; margin: 0; border-radius: 11px; cursor: pointer;
  outline: none;
  --blue: var(--mui-palette-primary-main, #2f6fb3);
  --knob: calc(7px + var(--at, 0) * (100% - 14px));
  background: linear-gradient(to right, var(--blue) var(--knob),
    color-mix(in srgb, var(--blue) 38%, transparent) var(--knob)) center / calc(100% - 8px) 2px no-repeat; }
input::-webkit-slider-thumb { appearance: none; width: 14px; height: 14px; border-radius: 50%;
  background: var(--blue); }
input::-moz-range-thumb { width: 14px; height: 14px; border: 0; border-radius: 50%; background: var(--blue); }
input:hover::-webkit-slider-thumb { box-shadow: 0 0 0 6px color-mix(in srgb, var(--blue) 16%, transparent); }
input:hover::-moz-range-thumb { box-shadow: 0 0 0 6px color-mix(in srgb, var(--blue) 16%, transparent); }
input:focus-visible::-webkit-slider-thumb { box-shadow: 0 0 0 6px color-mix(in srgb, var(--blue) 30%, transparent); }
input:focus-visible::-moz-range-thumb { box-shadow: 0 0 0 6px color-mix(in srgb, var(--blue) 30%, transparent); }
input:disabled { --blue: #9e9e9e; cursor: default; }
input:disabled::-webkit-slider-thumb { box-shadow: none; }
input:disabled::-moz-range-thumb { box-shadow: none; }
"""


class Rail(pn.custom.JSComponent):
    """A slider over the places 0 to `end`.

    A widget whose value goes both ways would tell back, late, where it was put, as if a person had moved it; the later
    the busier the browser is.

    Parameters
    ----------
    on_put : callable
        Called with the place that a person has moved the knob to.
    """

    end = param.Integer(1, bounds=(1, None), doc="The last place.")
    value = param.Integer(0, bounds=(0, None), doc="Where the knob is put.")
    disabled = param.Boolean(False, doc="Whether there is nothing to move.")
    label = param.String("", doc="Its name, for those who hear it.")

    _esm = """
    export function render({ model, el }) {
      const rail = document.createElement("input")
      Object.assign(rail, {type: "range", min: 0, step: 1})
      rail.setAttribute("aria-label", model.label)
      let held = false, moved = false
      const paint = () => rail.style.setProperty("--at", rail.value / rail.max)
      const show = () => {
        rail.max = model.end
        rail.disabled = model.disabled
        if (!held) { rail.value = model.value }
        paint()
      }
      const let_go = () => {
        held = false
        if (!moved) { show() }
      }
      rail.addEventListener("pointerdown", () => { held = true; moved = false })
      rail.addEventListener("pointerup", let_go)
      rail.addEventListener("pointercancel", let_go)
      rail.addEventListener("input", () => {
        moved = true
        paint()
        model.send_msg(rail.valueAsNumber)
      })
      for (const name of ["end", "value", "disabled"]) { model.on(name, show) }
      show()
      el.append(rail)
    }
    """

    def __init__(self, on_put: Callable[[int], None], **params) -> None:
        super().__init__(stylesheets=[RAIL_CSS], margin=(0, 8), sizing_mode="stretch_width", align="center", **params)
        self._handle_msg = on_put
