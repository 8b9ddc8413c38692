"""What lies under the cursor: the decoded image, the nearest real example, and its reconstruction."""

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, CustomJS, LinearColorMapper, Range1d
from bokeh.plotting import figure as Figure

from vaeviz.latent import decode
from vaeviz.views.palette import GRAYS, INK, MARK
from vaeviz.views.pictures import glyph_picture, to_bytes
from vaeviz.views.view import View, dress

GAP, SPACE, LINES, MARGIN = 0.1, 0.06, 0.2, 0.03

# The pictures keep their shape and are as large as the card allows.
FIT_JS = """
const {inner_width, inner_height} = fig.properties  // unset until it is laid out
const w = inner_width.is_unset ? 0 : fig.inner_width, h = inner_height.is_unset ? 0 : fig.inner_height
if (!(w > 0 && h > 0)) { return }
const height = top - bottom
const scale = Math.min(w / width, h / height)
const across = w / scale, up = h / scale
const x = left + width / 2, y = (top + bottom) / 2
fig.x_range.setv({start: x - across / 2, end: x + across / 2})
fig.y_range.setv({start: y - up / 2, end: y + up / 2})
"""

# The words change with each move of the mouse: strictly contained, they have nothing but themselves laid out anew.
# A text glyph, or a pane of the page, takes 15 ms of a slow machine here; this takes 1.
WORDS_JS = """
const view = cb_context.index.find_one(fig)
if (!(view?.frame?.bbox?.width > 0)) { return }
if (!view._words?.isConnected) {
  view._words = document.createElement("div")
  view._words.className = "vv-words"
  view._words.style.cssText = "position:absolute;contain:strict;overflow:hidden;height:42px;white-space:pre;" +
    "font-size:13px;line-height:20px;font-variant-numeric:tabular-nums;pointer-events:none"
  view._words.append(document.createElement("div"), document.createElement("div"))
  view.canvas_view.overlays_el.append(view._words)
}
const left = `${view.frame.x_scale.compute(0)}px`, top = `${view.frame.y_scale.compute(0) + 6}px`
const width = `${view.frame.bbox.right - view.frame.x_scale.compute(0)}px`
const style = view._words.style
if (style.left !== left || style.top !== top || style.width !== width) { Object.assign(style, {left, top, width}) }
words.data.words.forEach((line, i) => {
  const element = view._words.children[i]
  if (element.textContent !== line) { element.textContent = line }
})
"""


class CursorView(View):
    """Decodes the point under the mouse at once; beside it the nearest example and its reconstruction.

    This is the path that must keep up with the hand: image glyphs whose data are replaced, and a line of words.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    title = "Cursor"
    hint = "decoded as you point"
    figure_name = "cursor"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._decoded, self._example, self._again = (
            ColumnDataSource(self._nothing(), name=name) for name in ("decoded", "example", "reconstruction")
        )
        self._row: tuple | None = None
        self._shape = self.state.run.dataset.image_shape
        self._figure = pn.pane.Bokeh(self._make_figure(), sizing_mode="stretch_both", margin=0)
        self._layout = self._card(self._figure)
        self.state.param.watch(self._update, ["cursor", "frame"])
        self._update()

    @staticmethod
    def _nothing() -> dict:
        return {"image": [], "x": [], "y": [], "dw": [], "dh": []}

    def _make_figure(self) -> Figure:
        """Return a figure of three pictures: the decoded one large, the two others beside it.

        Its words are its own: a source that the page knows already would tell of the new figure before it is there.
        """
        self._words = ColumnDataSource({"words": ["", ""]}, name="cursor words")
        channels, height, width = self.state.run.dataset.image_shape
        ratio = height / width
        small = (ratio - GAP) / 2 / ratio  # two of them, and a gap for a caption, are as high as the large one
        self._boxes = {
            self._decoded: (0, 0, 1, ratio),
            self._example: (1 + SPACE, ratio * small + GAP, small, ratio * small),
            self._again: (1 + SPACE, 0, small, ratio * small),
        }
        across, top = 1 + SPACE + small, ratio + GAP
        bottom = -LINES
        # What is painted at the very edge of a canvas stays there: Bokeh clears all but half a pixel of it.
        figure = Figure(x_range=Range1d(-MARGIN, across + MARGIN), y_range=Range1d(bottom, top), tools="")
        dress(figure, self.figure_name)
        figure.update(toolbar_location=None, min_border=0)
        sides = {"left": -MARGIN, "width": across + 2 * MARGIN, "bottom": bottom, "top": top}
        fit = CustomJS(args={"fig": figure, **sides}, code=FIT_JS)
        for name in ("inner_width", "inner_height"):
            figure.js_on_change(name, fit)
        write = CustomJS(args={"fig": figure, "words": self._words}, code=WORDS_JS)
        self._words.js_on_change("data", write)
        for model, name in ((figure.x_range, "end"), (figure.y_range, "end"), (figure, "inner_height")):
            model.js_on_change(name, write)
        # No axes at all: hidden ones would be measured with each image.
        figure.update(below=[], left=[], center=[])
        for source, (x, y, w, h) in self._boxes.items():
            if channels == 1:
                mapper = LinearColorMapper(palette=GRAYS, low=0, high=255)
                figure.image("image", "x", "y", "dw", "dh", source=source, color_mapper=mapper)
            else:
                figure.image_rgba("image", "x", "y", "dw", "dh", source=source)
            outline = MARK if source is self._decoded else INK
            figure.block([x], [y], [w], [h], fill_alpha=0, line_color=outline, line_width=1.5)
        captions = [(0, top - GAP * 0.6, "decoded here"), (1 + SPACE, top - GAP * 0.6, "nearest real"),
                    (1 + SPACE, ratio * small + GAP * 0.4, "reconstructed")]  # fmt: skip
        for x, y, caption in captions:
            figure.text([x], [y], text=[caption], text_font_size="12px", text_color=INK, text_baseline="middle")
        return figure

    def _show(self, source: ColumnDataSource, picture: np.ndarray) -> None:
        """Show a picture (C, H, W) in [0, 1]."""
        x, y, width, height = self._boxes[source]
        image = glyph_picture(to_bytes(picture).transpose(1, 2, 0))
        source.data = {"image": [image], "x": [x], "y": [y], "dw": [width], "dh": [height]}

    def _update_run(self, *_) -> None:
        if self._shape != self.state.run.dataset.image_shape:
            self._shape = self.state.run.dataset.image_shape
            self._figure.object = self._make_figure()

    def _update(self, *_) -> None:
        self._update_run()
        state = self.state
        snapshot = state.frame.snapshot
        row = state.nearest_row(state.cursor)
        fresh = (snapshot, row) != self._row
        codes = np.stack((state.cursor, snapshot.mu[row]))[: 2 if fresh else 1]
        pictures = decode(snapshot.vae, codes.astype(np.float32))
        self._show(self._decoded, pictures[0])
        if fresh:
            self._row = (snapshot, row)
            example = snapshot.images[row].numpy()
            self._show(self._example, example / 255 if example.dtype == np.uint8 else example)
            self._show(self._again, pictures[1])
        (point,) = state.in_plane(state.cursor[None])
        names = [state.axis_name(which) for which in range(len(state.plane.basis))]
        code = "   ".join(f"{name} = {value:+.2f}" for name, value in zip(names, point, strict=False)).replace("-", "−")
        self._words.data = {"words": [code, f"nearest: {state.label_of(row)}"]}
