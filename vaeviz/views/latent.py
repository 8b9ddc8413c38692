"""The encoder's side: where it puts the examples in the latent plane."""

import holoviews as hv
import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.views.layers import PictureLayer, ScatterLayer
from vaeviz.views.palette import NUMBERS, class_colors
from vaeviz.views.plane import OPTIONS, PlaneView
from vaeviz.views.planes import Coordinates, from_z
from vaeviz.views.plots import picture_plot, scatter_plot
from vaeviz.views.view import COMPACT, choice, plot_pane, switch

LEGEND_CSS = """
:host { display: flex; flex-wrap: wrap; justify-content: center; gap: 2px; padding: 0 8px 6px; min-height: 26px; }
"""
MANY_CLASSES = 10
STEPS = (3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000)
"""Limits of the automatic range: a few, so that the axes stand still while the points move."""


class LatentView(PlaneView):
    """Posterior means of the embedded examples, z1 across and z2 up; in z or in the prior's percentiles u.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    extent = param.Selector(default="auto", objects=["auto", "±3", "±4", "±6"], doc="Range of z that is shown.")
    hidden_classes = param.List([], doc="Class numbers that are not drawn.")

    title = "Latent"
    hint = "encoder"
    figure_name = "latent"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._dots = ScatterLayer("examples")
        self._ground = PictureLayer("backdrop")
        self._layers = self._dots, self._ground
        self._figure = plot_pane(self._plot())
        self._shown_axes = self.state.plane.axes
        self._axes = switch(self.state.param.coordinates, options={"z": "z", "u = Φ(z)": "u"})
        self._color_by = choice(self.state.param.color_by, 76)
        self._extent = choice(self.param.extent, 68)
        self._across, self._up = (
            pmui.Select(size="small", margin=0, sx=COMPACT, width=64, description=f"The latent axis {way}")
            for way in ("across", "up")
        )
        for menu in (self._across, self._up):
            menu.param.watch(self._on_axes, "value")
        self._legend = pn.FlexBox(stylesheets=[LEGEND_CSS], margin=0)
        self._layout = self._card(
            pn.Column(self._figure, self._legend, sizing_mode="stretch_both", margin=0),
            self._across,
            self._up,
            self._color_by,
            self._extent,
            self._axes,
        )
        self.state.param.watch(self._update_scatter, "frame")
        self.state.param.watch(self._update_selection, "selection")
        self.state.param.watch(self._update_coordinates, "coordinates")
        self.state.param.watch(self._update_legend, "run")
        self.state.param.watch(self._update_axes, ["run", "axes"])
        self._update_legend()
        self._update_axes()

    @property
    def plane_coordinates(self) -> Coordinates:
        """Z or u, as the person chose."""
        return self.state.coordinates

    def _plot(self) -> hv.Overlay:
        points, values, colors, limits = self._scatter()
        ground = picture_plot(*self._backdrop()).opts(hooks=[self._ground.attach])
        dots = scatter_plot(points, values, colors=colors, limits=limits).opts(
            tools=["pan", "wheel_zoom", "box_select", "lasso_select", "reset"], hooks=[self._dots.attach, self._on_dots]
        )
        across, up = self._ranges()
        return (ground * dots).opts(hv.opts.Overlay(hooks=[self._attach], xlim=across, ylim=up, **OPTIONS))

    def _on_dots(self, plot, element) -> None:
        plot.handles["source"].selected.on_change("indices", self._on_select)

    # What a person does

    def _on_select(self, attr: str, old: list[int], new: list[int]) -> None:
        self.state.selection = list(new)

    def _on_axes(self, _) -> None:
        if self._across.value is not None and self._up.value is not None:
            self.state.axes = (self._across.value, self._up.value)

    def _on_class(self, number: int, shown: bool) -> None:
        self.hidden_classes = sorted(set(self.hidden_classes) ^ {number})

    # What follows from state

    def _points(self) -> np.ndarray:
        """Return where the examples lie, (N, 2), in the figure's coordinates; hidden ones are NaN."""
        state = self.state
        points = from_z(state.in_plane(state.frame.snapshot.mu.astype(float)), state.coordinates)
        if state.latent_dim == 1:  # a second coordinate without meaning, the same for each example every time
            spread = np.random.default_rng(0).uniform(0.1, 0.9, len(points))
            points[:, 1] = spread if state.coordinates == "u" else 4 * spread - 2
        if self.hidden_classes:
            points[np.isin(self._classes(), self.hidden_classes)] = np.nan
        return points

    def _classes(self) -> np.ndarray:
        dataset, ids = self.state.run.dataset, self.state.frame.snapshot.ids
        return np.zeros(len(ids)) if dataset.labels is None else dataset.labels.numpy()[ids]

    def _scatter(self) -> tuple:
        snapshot = self.state.frame.snapshot
        if self.state.color_by == "label":
            count = max(1, len(self.state.run.dataset.class_names))
            return self._points(), self._classes().astype(float), tuple(class_colors(count)), (-0.5, count - 0.5)
        mu, logvar = snapshot.embedding
        if self.state.color_by == "KL":
            values = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
        else:
            values = np.exp(0.5 * logvar).mean(1)
        low, high = np.percentile(values, (1, 99))
        return self._points(), values.astype(float), NUMBERS, (float(low), float(max(high, low + 1e-6)))

    def _backdrop(self) -> tuple:
        """Return the manifold where it lies exactly under the points: the grid is uniform in u, as these axes are."""
        frame = self.state.frame
        blank = np.zeros((1, 1, frame.manifold.shape[2]), np.uint8)
        if self.state.latent_dim == 1 or frame.coordinates != self.state.coordinates or self.state.coordinates == "z":
            return blank, (-1e-9, -1e-9, 1e-9, 1e-9)
        return frame.manifold, (0, 0, 1, 1)

    @param.depends("hidden_classes", watch=True)
    def _update_scatter(self, *_) -> None:
        if self.state.plane.axes != self._shown_axes:
            self._shown_axes = self.state.plane.axes
            self._update_coordinates()
            return
        self._dots.show(*self._scatter())
        if self.state.coordinates == "u":
            self._ground.show(*self._backdrop())
        if self.extent == "auto" and self._ranges() != self._shown_ranges:
            self._update_ranges()

    def _update_coordinates(self, *_) -> None:
        self._dots.show(*self._scatter())
        self._ground.show(*self._backdrop())
        for marks in self._marks.values():
            self._label_axes(marks.figure)
        self._update_ranges()
        self._update_cursor()
        self._update_path()

    @param.depends("extent", watch=True)
    def _on_extent(self) -> None:
        self._update_ranges()

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ranges across and up, of one length, so that both axes have one scale."""
        if self.state.coordinates == "u":
            return (0.0, 1.0), (0.0, 1.0)
        if self.extent != "auto":
            limit = float(self.extent[1:])
            return (-limit, limit), (-limit, limit)
        reach = np.quantile(np.abs(self.state.in_plane(self.state.frame.snapshot.mu)), 0.995)
        limit = next((float(step) for step in STEPS if step >= reach), float(reach))
        return (-limit, limit), (-limit, limit)

    def _update_selection(self, *_) -> None:
        for source in self._dots.sources:
            if list(source.selected.indices) != self.state.selection:
                source.selected.indices = list(self.state.selection)

    def _update_axes(self, *_) -> None:
        """Offer the axes where there are more than the planes show."""
        names = {f"z{axis + 1}": axis for axis in range(self.state.latent_dim)}
        for menu, axis in zip((self._across, self._up), self.state.axes, strict=True):
            menu.visible = len(names) > 2
            if menu.options != names or menu.value != axis:
                menu.param.update(options=names, value=axis)

    def _update_legend(self, *_) -> None:
        names = self.state.run.dataset.class_names
        self.hidden_classes = []
        if not names:
            self._legend.objects = []
        elif len(names) <= MANY_CLASSES:
            self._legend.objects = [self._chip(i, name, color) for i, (name, color) in
                                    enumerate(zip(names, class_colors(len(names)), strict=True))]  # fmt: skip
        else:
            search = pmui.MultiChoice(
                label="Show only these classes", options={name: i for i, name in enumerate(names)}
            )
            search.param.watch(self._on_search, "value")
            self._legend.objects = [search]

    def _on_search(self, event: param.parameterized.Event) -> None:
        everything = range(len(self.state.run.dataset.class_names))
        self.hidden_classes = [i for i in everything if i not in event.new] if event.new else []

    def _chip(self, number: int, name: str, color: str) -> pn.viewable.Viewable:
        chip = pmui.Toggle(
            label=name, value=True, margin=0, size="small", sx=_chip_style(color), description=f"Show or hide {name}"
        )
        chip.param.watch(lambda event: self._on_class(number, event.new), "value")
        return chip


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
