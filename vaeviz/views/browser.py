"""What a figure does otherwise in the browser than Bokeh would have it.

Bokeh has no options for it, so this reaches for what is private there, and does nothing where that has changed.
"""

from collections.abc import Callable

from bokeh.models import CustomJS, Plot, Range1d, Renderer, Tool

# To Bokeh a button that is held still for 0.3 s is pressed, and what the hand does then drags nothing, neither an
# endpoint nor a lasso. Who aims holds still, and to a busy browser everybody seems to.
HOLD_JS = """
const view = cb_context.index.find_one(fig)
const gestures = view?.canvas_view.ui_event_bus?.ui_gestures
if (gestures?._start_timeout) { gestures._start_timeout = () => {} }
"""

OWN_LAYOUT = "vv-own-layout"
"""Class of a part of the page: whatever is in it, figures elsewhere stay as large as they are."""

# To Bokeh any change anywhere, a button that appears, say, is one of the whole page: each figure of it is laid out anew
# and painted. Here it ends at the part of the page that it is in.
OWN_LAYOUT_JS = """
const needed = ["measure_layout", "update_bbox", "_compute_layout", "after_layout", "update_layout", "finish"]
const sizes = (part) => part.child_views.map(({el}) => `${el.clientWidth} × ${el.clientHeight}`).join()
const lays_out_itself = (view) => view.model.css_classes?.includes(own)
for (const part of cb_context.index.query(lays_out_itself)) {
  if (Object.hasOwn(part, "invalidate_layout") || !needed.every((name) => part[name])) { continue }
  let laid_out = null
  part.compute_layout = () => {
    part.measure_layout()
    part.update_bbox()
    part._compute_layout()
    part.after_layout()
    part._layout_computed = true
    laid_out = sizes(part)
  }
  part.invalidate_layout = () => {
    part.update_layout()
    part.compute_layout()
  }
  part.after_resize = () => {  // of itself, or of what is in it: a card that fills the screen, and comes back
    part._resized = true
    if (laid_out === null) {  // the root has just laid it out
      laid_out = sizes(part)
    } else if (sizes(part) !== laid_out) {
      part.compute_layout()
      requestAnimationFrame(() => part.compute_layout())  // a toolbar measures its room before it has it
    }
    part.finish()
  }
}
"""

# Bokeh lets what is drawn above all else go over the axes, too.
ENDS_JS = """
const view = cb_context.index.find_one(fig)
for (const part of view?.computed_renderer_views ?? []) {
  if (!parts.includes(part.model) || Object.hasOwn(part, "paint")) { continue }
  part.paint = (ctx) => {
    const {bbox, x_scale, y_scale} = view.frame, {left, right, top, bottom, width, height} = bbox
    ctx.save()
    ctx.beginPath()
    if (radius > 0) {
      const {x, y} = part.model.data_source.data
      for (let i = 0; i < x.length; i++) {
        const across = x_scale.compute(x[i]), up = y_scale.compute(y[i])
        if (left - 1 <= across && across <= right + 1 && top - 1 <= up && up <= bottom + 1) {
          ctx.rect(across - radius, up - radius, 2 * radius, 2 * radius)
        }
      }
    } else {
      ctx.rect(left, top, width, height)
    }
    ctx.clip()
    Object.getPrototypeOf(part).paint.call(part, ctx)
    ctx.restore()
  }
}
"""


def adapt(figure: Plot) -> None:
    """Let whoever holds still before a drag drag, and a part of the page lay out only itself."""
    code = f"{HOLD_JS}{OWN_LAYOUT_JS}"
    figure.js_on_change("inner_width", CustomJS(args={"fig": figure, "own": OWN_LAYOUT}, code=code))


def end_at_axes(figure: Plot, parts: list[Renderer], radius: float = 0) -> None:
    """Draw parts of a figure only within its axes; of points, of that radius in pixels, those there, and whole."""
    code = CustomJS(args={"fig": figure, "parts": parts, "radius": radius}, code=ENDS_JS)
    figure.js_on_change("inner_width", code)


def when_taken_up(figure: Plot, kinds: tuple[type[Tool], ...], call: Callable[[], None]) -> None:
    """Call something each time that a person takes up a tool of these kinds, before it is used.

    It has to be called before the figure is sent.
    """
    line = Range1d()  # a model without a view, which the browser writes to
    line.on_change("tags", lambda attr, old, new: call())
    taken = CustomJS(args={"line": line}, code="if (cb_obj.active) { line.tags = [...line.tags, 1] }")
    for tool in figure.toolbar.tools:
        if isinstance(tool, kinds):
            tool.js_on_change("change:active", taken)
