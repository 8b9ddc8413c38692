"""The encoder's side: where it puts the examples in the latent plane."""

from functools import lru_cache, partial

import holoviews as hv
import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.events import Tap
from bokeh.models import BoxSelectTool, LassoSelectTool

from vaeviz.latent import density_contours, posterior_ellipses
from vaeviz.training import Run, Snapshot
from vaeviz.views.browser import when_taken_up
from vaeviz.views.cloud import SAMPLE, thinned
from vaeviz.views.coloring import SCALE_CSS, Coloring, classes, coloring, scale_markup
from vaeviz.views.hooks import weak_hooks
from vaeviz.views.lasso import Lasso
from vaeviz.views.layers import LinesLayer, PictureLayer, ScatterLayer
from vaeviz.views.legend import Legend
from vaeviz.views.outlines import ELLIPSE_POINTS, MOST_ELLIPSES, MOST_TRAILS, Trail, TrailKeeper, evenly
from vaeviz.views.palette import CLASSES, INK
from vaeviz.views.plane import OPTIONS, PlaneView
from vaeviz.views.planes import Coordinates
from vaeviz.views.plots import picture_plot, scatter_plot
from vaeviz.views.raster import RasterLayer
from vaeviz.views.scatter import Scene, in_figure, placed
from vaeviz.views.shade import shade
from vaeviz.views.together import together
from vaeviz.views.view import COMPACT, choice, headline, inner_size, one_line, plot_pane, switch, text, toggle

ROW_CSS = """
:host { flex-direction: row; flex-wrap: wrap; align-items: center; gap: 6px; padding: 0 8px 2px 12px; width: 100%;
  box-sizing: border-box; }
"""
SHARES_CSS = ":host { flex: 1 1 0; width: auto; font-size: 12px; } :host > div > div { opacity: 0.65; }"
# Over the plot, to the left of its tools: there is room, and it costs none.
ADVICE_CSS = """
:host { position: relative; margin: 0; height: 0; width: 100%; font-size: 12px; z-index: 1; pointer-events: none; }
:host > div { position: absolute; left: 12px; top: 10px; width: 130px; contain: layout style; opacity: 0.65; }
"""
COLOR_BY = {"label": "label", "KL": "KL", "recon.": "reconstruction", "σ": "σ"}
MOST_POINTS = 20_000
"""More examples than these are drawn as a picture: a browser would take longer for the points themselves."""

TAP_REACH = 6
"""Pixels around an example within which a tap takes it."""

STEPS = (3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000)
"""Limits of the automatic range: a few, so that the axes stand still while the points move."""


class LatentView(PlaneView):
    """Posterior means of the embedded examples, z1 across and z2 up; in z or in the prior's percentiles u.

    More than `MOST_POINTS` of them are drawn as one picture (see `vaeviz.views.shade`), which is made anew for the part
    of the plane that is seen; all that a person can do stays the same.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    extent = param.Selector(default="auto", objects=["auto", "±3", "±4", "±6"], doc="Range of z that is shown.")
    hidden_classes = param.List([], doc="Class numbers that are not drawn.")
    split = param.Selector(
        default="all", objects=["all", "train", "validation", "test"], doc="Which examples are drawn."
    )
    contours = param.Boolean(False, doc="Whether outlines hold the densest 50, 80 and 95 % of the points drawn.")
    ellipses = param.Boolean(False, doc="Whether the selected examples' posteriors are drawn, at 1 σ.")
    trail = param.Boolean(False, doc="Whether lines show where the selected examples came from.")
    more = param.Boolean(False, doc="Whether the controls of all these are seen.")
    selecting = param.Event(doc="A person takes up a tool that selects.")

    title = "Latent"
    hint = "encoder"
    figure_name = "latent"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._dots = ScatterLayer("examples")
        self._ground = PictureLayer("backdrop")
        self._contours = LinesLayer("contours", [INK], width=1.5)
        self._ellipses = LinesLayer("ellipses", CLASSES, width=1.5)
        self._trails = LinesLayer("trails", CLASSES, alpha=0.8)
        self._raster = RasterLayer("raster", self.state)
        self._layers = self._dots, self._raster, self._ground, self._contours, self._ellipses, self._trails
        self._coloring: Coloring | None = None
        self._placed = lru_cache(maxsize=1)(placed)
        self._lasso = Lasso(self.state, lambda: partial(self._placed, self._scene()))
        self._keeper = TrailKeeper()
        self.state.prepare(self._prepared("colors"), self._color)
        self.state.prepare(self._prepared("trail"), self._follow)
        self.legend = Legend()
        self._legend = self.legend.box
        self._scale = text(css=one_line(18) + SCALE_CSS)
        self._advice = text(css=ADVICE_CSS)
        self._explained = text(css=one_line(20) + SHARES_CSS)
        self._figure = plot_pane(self._plot())
        self._shown_axes = self.state.plane.axes
        self._make_menus()
        # What is not seen at first is put in its place when it is wanted: a browser takes long for each control.
        self._planes, self._options = (pn.Row(stylesheets=[ROW_CSS], margin=0, visible=False) for _ in range(2))
        more = toggle(self.param.more, "", icon="tune", description="Range, split, contours, posteriors and trails")
        self._layout = self._card(
            pn.Column(
                self._planes, self._options, self._advice, self._figure, self._scale, self._legend,
                sizing_mode="stretch_both", margin=0,
            ),
            choice(self.state.param.color_by, 76, options=COLOR_BY, description="What the colours tell"),
            switch(self.state.param.coordinates, options={"z": "z", "u = Φ(z)": "u"}),
            more,
        )  # fmt: skip
        self.state.param.watch(self._update_scatter, "frame")
        self.state.param.watch(self._update_selection, "selection")
        self.state.param.watch(self._update_coordinates, "coordinates")
        self.state.param.watch(self._update_legend, "run")
        self.state.param.watch(self._update_axes, ["run", "axes", "plane_kind"])
        self.legend.param.watch(self._on_legend, "hidden")
        self._update_legend()
        self._update_axes()
        self._on_more()
        self._update_words()
        self._show_points()

    def _make_options(self) -> list[pn.viewable.Viewable]:
        return [
            choice(self.param.extent, 68, description="Range of z that is shown"),
            choice(self.param.split, 96, description="Which examples are drawn: a split of the data, or all"),
            toggle(self.param.contours, "contours", description="Outlines of the densest 50, 80 and 95 % of points"),
            toggle(self.param.ellipses, "1σ", description="Posteriors of the selected points, one standard deviation"),
            toggle(self.param.trail, "trail", description="Where the selected points came from, step by step"),
        ]

    def _make_menus(self) -> None:
        self._across, self._up = (
            pmui.Select(size="small", margin=0, sx=COMPACT, width=64, description=f"The latent axis {way}")
            for way in ("across", "up")
        )
        for menu in (self._across, self._up):
            menu.param.watch(self._on_axes, "value")

    def _prepared(self, what: str) -> str:
        return f"{self.name} {what}"  # the view's own: others of the same state may show other things

    @property
    def plane_coordinates(self) -> Coordinates:
        """Z or u, as the person chose."""
        return self.state.coordinates

    def _plot(self) -> hv.Overlay:
        points, values, colors, limits = self._scatter()
        ground = picture_plot(*self._backdrop()).opts(hooks=weak_hooks(self._ground.attach))
        dots = scatter_plot(points, values, colors=colors, limits=limits).opts(
            tools=["pan", "wheel_zoom", "box_select", "lasso_select", "reset"],
            hooks=weak_hooks(self._dots.attach, self._on_dots),
        )
        across, up = self._ranges()
        return (ground * dots).opts(hv.opts.Overlay(hooks=weak_hooks(self._attach), xlim=across, ylim=up, **OPTIONS))

    def _on_dots(self, plot, element) -> None:
        selected = plot.handles["source"].selected
        selected.indices = self._selected_rows()
        selected.on_change("indices", self._on_select)

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id not in self._marks:
            for layer in (self._raster, self._contours, self._trails, self._ellipses):  # under the marks
                layer.attach(figure)
            self._lasso.attach(figure)
            when_taken_up(figure, (LassoSelectTool, BoxSelectTool), partial(self.param.trigger, "selecting"))
        super()._attach(plot, element)

    # What is worked out beside the page's own thread

    def _color(self, run: Run, snapshot: Snapshot) -> Coloring:
        return coloring(self.state.color_by, run, snapshot)

    def _follow(self, run: Run, snapshot: Snapshot) -> Trail | None:
        rows = evenly(self.state.selection, MOST_TRAILS)
        return self._keeper.trail(run, snapshot, rows) if self.trail and rows else None

    # What a person does

    def _on_select(self, attr: str, old: list[int], new: list[int]) -> None:
        if self._is_large:
            self._lasso.on_indices(new)
        else:
            with together():  # all that shows it in one message
                self.state.selection = list(new)

    def _on_axes(self, _) -> None:
        if self._across.value is not None and self._up.value is not None:
            self.state.axes = (self._across.value, self._up.value)

    def _on_legend(self, event: param.parameterized.Event) -> None:
        self.hidden_classes = event.new

    def _on_tap(self, event: Tap) -> None:
        row = self._row_at(event)
        if row is None:
            super()._on_tap(event)
        else:
            self.state.follow_example(self._nearer_endpoint(self.state.frame.snapshot.mu[row]), row)

    def _row_at(self, event: Tap) -> int | None:
        """Return the example that is drawn within a few pixels of a tap, if any."""
        figure = event.model
        across, up = figure.x_range, figure.y_range
        width, height = inner_size(figure) or (1, 1)
        scale = np.array([width / (across.end - across.start), height / (up.end - up.start)])
        points = self._points()
        distances = np.hypot((points[:, 0] - event.x) * scale[0], (points[:, 1] - event.y) * scale[1])
        distances[np.isnan(distances)] = np.inf
        row = int(np.argmin(distances))
        return row if distances[row] <= TAP_REACH else None

    @param.depends("trail", watch=True)
    def _on_trail(self) -> None:
        self.state.refresh()

    @param.depends("more", watch=True)
    def _on_more(self) -> None:
        if self.more and not self._options.objects:
            self._options.objects = self._make_options()
        self._options.visible = self.more

    # What follows from state

    @property
    def _is_large(self) -> bool:
        """Whether there are too many points for a browser."""
        return len(self.state.frame.snapshot.ids) > MOST_POINTS

    def _scene(self) -> Scene:
        state = self.state
        return Scene(
            state.run,
            state.frame.snapshot,
            state.frame.cloud,
            state.coordinates,
            tuple(self.hidden_classes),
            self.split,
        )

    def _points(self) -> np.ndarray:
        """Return where the examples lie, (N, 2), in the figure's coordinates; hidden ones are NaN."""
        return self._placed(self._scene())

    def _classes(self) -> np.ndarray:
        return classes(self.state.run, self.state.frame.snapshot)

    def _scatter(self) -> tuple:
        frame = self.state.frame
        shown = frame.prepared.get(self._prepared("colors"))
        if shown is None:  # a frame from before this view
            shown = self._color(self.state.run, frame.snapshot)
        self._coloring = shown
        if self._is_large:  # one row, which is not seen: it stands for the selection
            return np.full((1, 2), np.nan), np.zeros(1), shown.colors, shown.limits
        return self._points(), shown.values, shown.colors, shown.limits

    def _show_points(self) -> None:
        self._dots.show(*self._scatter())
        self._lasso.active = self._is_large
        if not self._is_large:
            self._raster.hide()
            return
        scene, shown = self._scene(), self._coloring
        rows = np.array(self.state.selection) if self.state.selection else None
        self._raster.show(lambda window: shade(self._placed(scene), shown, window, rows))

    def _backdrop(self) -> tuple:
        """Return the manifold where it lies exactly under the points: the grid is uniform in u, as these axes are."""
        frame = self.state.frame
        blank = np.zeros((1, 1, frame.manifold.shape[2]), np.uint8)
        if self.state.latent_dim == 1 or frame.coordinates != self.state.coordinates or self.state.coordinates == "z":
            return blank, (-1e-9, -1e-9, 1e-9, 1e-9)
        return frame.manifold, (0, 0, 1, 1)

    @param.depends("hidden_classes", watch=True)
    def _on_hidden_classes(self) -> None:
        self.legend.hidden = self.hidden_classes
        self._update_scatter()

    @param.depends("split", watch=True)
    def _update_scatter(self, *_) -> None:
        if self.state.plane.axes != self._shown_axes:
            self._shown_axes = self.state.plane.axes
            self._update_coordinates()
            return
        self._show_points()
        if self.state.coordinates == "u":
            self._ground.show(*self._backdrop())
        if self.extent == "auto" and self._ranges() != self._shown_ranges:
            self._update_ranges(gently=True)
        self._update_contours()
        self._update_outlines()
        self._update_words()

    def _update_coordinates(self, *_) -> None:
        self._show_points()
        self._ground.show(*self._backdrop())
        for marks in self._marks.values():
            self._label_axes(marks.figure)
        self._update_ranges()
        self._update_cursor()
        self._update_path()
        self._update_contours()
        self._update_outlines()
        self._update_words()

    @param.depends("extent", watch=True)
    def _on_extent(self) -> None:
        self._update_ranges()
        self._update_contours()

    @param.depends("contours", watch=True)
    def _update_contours(self) -> None:
        """Draw the outlines of the densest regions of the points that are drawn."""
        if not self.contours or self.state.latent_dim == 1:  # on a line, the height of a point means nothing
            self._contours.show([], [])
            return
        points = thinned(self._points(), SAMPLE)
        (left, right), (bottom, top) = self._ranges()
        levels = density_contours(points[~np.isnan(points[:, 0])], extent=(left, right, bottom, top))
        lines = [line for outlines in levels for line in outlines]
        self._contours.show(lines, [0] * len(lines))

    @param.depends("ellipses", watch=True)
    def _update_outlines(self) -> None:
        """Draw the posteriors of the selected examples, and where these examples came from."""
        self._ellipses.show(*(self._posteriors() if self.ellipses else ([], [])))
        self._trails.show(*(self._past() if self.trail else ([], [])))
        self._update_advice()

    def _posteriors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the outlines (R, K, 2) of posteriors in the figure's coordinates, and their classes (R,)."""
        state = self.state
        snapshot = state.frame.snapshot
        rows = self._drawn(evenly(state.selection, MOST_ELLIPSES))
        mu, logvar = snapshot.embedding
        outlines = posterior_ellipses(mu[rows], logvar[rows], state.plane, points=ELLIPSE_POINTS)
        return self._place_lines(outlines, rows), self._classes()[rows]

    def _past(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ways (R, S, 2) that examples have come, in the figure's coordinates, and their classes (R,)."""
        trail = self.state.frame.prepared.get(self._prepared("trail"))
        if trail is None or list(trail.rows) != evenly(self.state.selection, MOST_TRAILS):
            return np.zeros((0, 0, 2)), np.zeros(0)  # on its way
        rows = self._drawn(list(trail.rows))
        codes = trail.codes[:, np.isin(trail.rows, rows)].transpose(1, 0, 2)  # (R, S, L)
        points = self.state.in_plane(codes.reshape(-1, codes.shape[2])).reshape(*codes.shape[:2], 2)
        return self._place_lines(points, rows), self._classes()[rows]

    def _place_lines(self, lines: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return lines (R, K, 2) of the planes, in z, in the figure's coordinates."""
        state = self.state
        owners = np.repeat(rows, lines.shape[1])
        points = in_figure(lines.reshape(-1, 2), state.coordinates, state.frame.snapshot, owners)
        return points.reshape(lines.shape)

    def _drawn(self, rows: list[int]) -> np.ndarray:
        """Return those of the rows that are drawn."""
        chosen = np.asarray(rows, int)
        return chosen[~np.isnan(self._points()[chosen, 0])]

    def _update_words(self) -> None:
        """Tell what the colours stand for, which split is drawn, and how much of the variance the plane shows."""
        shown, state = self._coloring, self.state
        self._scale.visible = shown.by != "label"
        if self._scale.visible:
            self._scale.object = scale_markup(shown)
        hint = self.hint if self.split == "all" else f"{self.split} split"
        if self._is_large:
            hint += f", {len(state.frame.snapshot.ids):,} points"
        self._title.object = headline(self.title, hint)
        shares = state.plane.explained
        if shares is not None:
            words = " + ".join(f"PC{i + 1} {share:.0%}" for i, share in enumerate(shares))
            self._explained.object = f"<div title='Of the posterior means'>{words} of the variance</div>"

    def _update_advice(self) -> None:
        count = len(self.state.selection)
        most = MOST_TRAILS if self.trail else MOST_ELLIPSES
        words = ""
        if (self.ellipses or self.trail) and not count:
            words = "lasso some points"
        elif (self.ellipses or self.trail) and count > most:
            words = f"{'trails' if self.trail else 'ellipses'}: {most} of {count:,}"
        self._advice.object = f"<div>{words}</div>"

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ranges across and up, of one length, so that both axes have one scale."""
        if self.state.coordinates == "u":
            return (0.0, 1.0), (0.0, 1.0)
        if self.extent != "auto":
            limit = float(self.extent[1:])
            return (-limit, limit), (-limit, limit)
        reach = self.state.frame.cloud.reach
        limit = next((float(step) for step in STEPS if step >= reach), float(reach))
        return (-limit, limit), (-limit, limit)

    def _selected_rows(self) -> list[int]:
        """Return the rows of the glyph that are selected: where the points are a picture, one stands for them all."""
        rows = list(self.state.selection)
        return [0] if rows and self._is_large else rows

    def _update_selection(self, *_) -> None:
        rows = self._selected_rows()
        if self._is_large:
            self._show_points()
        for source in self._dots.sources:
            if list(source.selected.indices) != rows:
                source.selected.indices = rows
        self._update_outlines()
        if self.trail:
            self.state.refresh()

    def _update_axes(self, *_) -> None:
        """Offer another plane where there are more dimensions than it shows."""
        names = {f"z{axis + 1}": axis for axis in range(self.state.latent_dim)}
        if len(names) > 2 and not self._planes.objects:
            self._planes.objects = [switch(self.state.param.plane_kind), self._across, self._up, self._explained]
        self._planes.visible = len(names) > 2
        of_axes = self.state.plane_kind == "axes"
        self._explained.visible = not of_axes
        for menu, axis in zip((self._across, self._up), self.state.axes, strict=True):
            menu.visible = len(names) > 2 and of_axes
            if menu.options != names or menu.value != axis:
                menu.param.update(options=names, value=axis)

    def _update_legend(self, *_) -> None:
        self.legend.show(self.state.run.dataset.class_names)
