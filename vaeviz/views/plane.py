"""The two planes, latent and manifold: what pointing, tapping and dragging on them does, and their marks."""

import holoviews as hv
import numpy as np
from bokeh.events import MouseMove, PointEvent, Tap
from bokeh.models import CustomJS, Plot

from vaeviz.views.journey import route_line
from vaeviz.views.marks import Marks, nearest_in
from vaeviz.views.pencil import Pencil
from vaeviz.views.planes import Coordinates, axis_label, from_z, into_z
from vaeviz.views.view import View, dress, inner_size

OPTIONS = {
    "responsive": True,
    "default_tools": [],
    "active_tools": ["wheel_zoom"],
    "framewise": False,
}

# One unit is as long across as it is up, whatever the card's shape: the horizontal range gives way. Where the whole of
# the plane is shown, it is that also in a card that is higher than wide, and when the whole becomes another one; a part
# that a person has zoomed or panned to stays. Only the browser knows at once which of the two it is.
EQUAL_ASPECT_JS = """
const x = fig.x_range, y = fig.y_range, w = fig.properties.inner_width.is_unset ? 0 : fig.inner_width,
  h = fig.properties.inner_height.is_unset ? 0 : fig.inner_height
if (!(w > 0 && h > 0)) { return }
const home = {x: (x.reset_start + x.reset_end) / 2, y: (y.reset_start + y.reset_end) / 2,
  half: (y.reset_end - y.reset_start) / 2}
home.whole = home.half * Math.max(1, h / w)
const is = (value, other) => Math.abs(value - other) <= 1e-9 * home.half
const span = (y.end - y.start) / 2
const at = ({x: across, y: up, half, whole}) =>
  is((x.start + x.end) / 2, across) && is((y.start + y.end) / 2, up) && (is(span, half) || is(span, whole))
const was = fig._home ?? home
fig._home = home
if ((at(was) || at(home)) && !(is(span, home.whole) && is((y.start + y.end) / 2, home.y))) {
  y.setv({start: home.y - home.whole, end: home.y + home.whole})
}
const middle = (x.start + x.end) / 2, half = (y.end - y.start) * w / h / 2
if (Math.abs(half * 2 - (x.end - x.start)) > 1e-9) { x.setv({start: middle - half, end: middle + half}) }
"""


class PlaneView(View):
    """A view whose figure is a plane of the latent space."""

    figure_name = ""

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._marks: dict[str, Marks] = {}
        self._pencils: dict[str, Pencil] = {}
        state = self.state
        self._shown_ranges = self._ranges()
        self._channels = state.run.dataset.image_shape[0]
        state.param.watch(self._update_cursor, ["cursor", "frame"])
        state.param.watch(self._update_path, ["frame", "route", "endpoints", "path_kind", "morph_rows", "walk_seed",
                                              "walk_frames", "drawn"])  # fmt: skip
        state.param.watch(self._update_pencil, "drawing")

    # To be said by each plane

    def _plot(self) -> hv.Overlay:
        """Return the plot with what is now to be shown."""
        raise NotImplementedError

    @property
    def plane_coordinates(self) -> Coordinates:
        """The coordinates of the figure."""
        raise NotImplementedError

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ranges across and up, of one length."""
        raise NotImplementedError

    # What a person does

    def _on_move(self, event: MouseMove) -> None:
        marks = self._marks[event.model.id]
        if marks.held is None and _is_in(event):
            self.state.point_at(self._code(event.x, event.y), self.figure_name)

    def _on_tap(self, event: Tap) -> None:
        if not _is_in(event):
            return
        code = self._code(event.x, event.y)
        self.state.place_endpoint(self._nearer_endpoint(code), code)

    def _nearer_endpoint(self, code: np.ndarray) -> int:
        """Return the endpoint, A (0) or B (1), that lies nearer to a code in the planes."""
        return int(np.argmin(np.linalg.norm(self.state.in_plane(self.state.endpoints - code), axis=1)))

    def _on_drag(self, which: int, x: float, y: float) -> None:
        code = self._code(x, y)
        self.state.place_endpoint(which, code, self.figure_name)
        self.state.point_at(code, self.figure_name)

    def _on_line(self, points: np.ndarray) -> None:
        self.state.drawn = into_z(points, self.plane_coordinates)

    def _code(self, x: float, y: float) -> np.ndarray:
        (point,) = into_z(np.array([[x, y]]), self.plane_coordinates)
        return self.state.code_at(*point)

    # What follows from state

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id in self._marks:
            return
        dress(figure, self.figure_name)
        self._label_axes(figure)
        self._show_whole(figure)  # of the plot of the beginning, maybe: a view can be shown again later
        self._marks[figure.id] = marks = Marks(figure, self._on_drag)
        self._pencils[figure.id] = Pencil(figure, marks.path, self._on_line)
        equal_aspect = CustomJS(args={"fig": figure}, code=EQUAL_ASPECT_JS)
        for name in ("inner_width", "inner_height"):
            figure.js_on_change(name, equal_aspect)
        for name in ("start", "end", "reset_end"):
            figure.y_range.js_on_change(name, equal_aspect)
        figure.on_event(MouseMove, self._on_move)
        figure.on_event(Tap, self._on_tap)
        self._update_cursor()
        self._update_path()
        self._update_pencil()

    def _update_cursor(self, *_) -> None:
        self._update_run()
        state = self.state
        here = state.cursor_plane == self.figure_name
        row = state.nearest_row(state.cursor)
        codes = np.stack((state.cursor, state.frame.snapshot.mu[row]))
        cursor, nearest = from_z(state.in_plane(codes), self.plane_coordinates)
        for marks in self._marks.values():
            marks.point(None if here else cursor, nearest)

    def _update_path(self, *_) -> None:
        state = self.state
        line = from_z(state.in_plane(route_line(state)), self.plane_coordinates)
        ends = from_z(state.in_plane(state.endpoints), self.plane_coordinates)
        for marks in self._marks.values():
            marks.move(marks.path, line)
            if marks.held is None:  # else the hand itself moves them here
                marks.move(marks.ends, ends if state.route == "A to B" else ends[:0])

    def _update_pencil(self, *_) -> None:
        for pencil in self._pencils.values():
            pencil.switch(self.state.drawing)

    def _update_run(self, *_) -> None:
        """Make the plot anew where the kind of picture changed: gray and colour are drawn by different glyphs."""
        channels = self.state.run.dataset.image_shape[0]
        if channels != self._channels:
            self._channels = channels
            self._marks.clear()
            self._pencils.clear()
            for layer in self._layers:
                layer.clear()
            self._figure.object = self._plot()

    def _update_ranges(self, *, gently: bool = False) -> None:
        """Show the whole of the plane; gently, only if the whole of what it was until now is shown."""
        self._shown_ranges = self._ranges()
        for marks in self._marks.values():
            self._show_whole(marks.figure, gently=gently)

    def _show_whole(self, figure: Plot, *, gently: bool = False) -> None:
        is_seen = inner_size(figure) is not None  # in a browser, which then decides
        for axis, (start, end) in zip((figure.x_range, figure.y_range), self._shown_ranges, strict=True):
            if not (gently and is_seen):
                axis.update(start=start, end=end)
            axis.update(reset_start=start, reset_end=end)

    def _label_axes(self, figure: Plot) -> None:
        flat = len(self.state.plane.basis) == 1
        figure.xaxis.axis_label = axis_label(self.state.axis_name(0), self.plane_coordinates)
        figure.yaxis.axis_label = (
            "(no second dimension)" if flat else axis_label(self.state.axis_name(1), self.plane_coordinates)
        )


def _is_in(event: PointEvent) -> bool:
    """Whether what is seen of the plane is pointed at, and not a margin of the figure."""
    return (event.x, event.y) == nearest_in(event.model, event.x, event.y)
