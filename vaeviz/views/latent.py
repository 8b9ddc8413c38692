"""The encoder's side: where it puts the examples in the latent plane."""

import holoviews as hv
import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.views.palette import NUMBERS, class_colors
from vaeviz.views.plane import PlaneView
from vaeviz.views.planes import Coordinates, from_z
from vaeviz.views.plots import picture_plot, scatter_plot
from vaeviz.views.view import COMPACT, live

LEGEND_CSS = """
:host { display: flex; flex-wrap: wrap; justify-content: center; gap: 2px; padding: 0 8px 6px; min-height: 26px; }
"""
CHIP_CSS = """
:host { margin: 0; }
.bk-btn, button { font-size: 12px !important; padding: 0 7px !important; line-height: 20px; border-radius: 10px; }
"""
MANY_CLASSES = 10


class LatentView(PlaneView):
    """Posterior means of the embedded examples, z1 across and z2 up; in z or in the prior's percentiles u.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    color_by = param.Selector(default="label", objects=["label", "KL", "σ"], doc="What the colours tell.")
    extent = param.Selector(default="±4", objects=["±3", "±4", "±6", "auto"], doc="Range of z that is shown.")
    hidden_classes = param.List([], doc="Class numbers that are not drawn.")

    title = "Latent"
    hint = "encoder"
    figure_name = "latent"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._dots = hv.streams.Pipe(data=self._scatter())
        self._ground = hv.streams.Pipe(data=self._backdrop())
        plot = live(picture_plot, self._ground) * live(self._scatter_plot, self._dots)
        x_range, y_range = self._ranges()
        self._figure = self._pane(plot, xlim=x_range, ylim=y_range)
        self._axes = pmui.RadioButtonGroup.from_param(
            self.state.param.coordinates, options={"z": "z", "u = Φ(z)": "u"}, label="", size="small", margin=0, sx=COMPACT
        )
        self._color_by = pmui.Select.from_param(
            self.param.color_by, label="", size="small", margin=0, sx=COMPACT, width=92, name="colour"
        )
        self._extent = pmui.Select.from_param(self.param.extent, label="", size="small", margin=0, sx=COMPACT, width=78)
        self._legend = pn.FlexBox(stylesheets=[LEGEND_CSS], margin=0)
        self._layout = self._card(
            pn.Column(self._figure, self._legend, sizing_mode="stretch_both", margin=0),
            self._color_by,
            self._extent,
            self._axes,
        )
        self.state.param.watch(self._update_scatter, "frame")
        self.state.param.watch(self._update_selection, "selection")
        self.state.param.watch(self._update_coordinates, ["coordinates", "axes"])
        self.state.param.watch(self._update_legend, "run")
        self._update_legend()

    @property
    def plane_coordinates(self) -> Coordinates:
        """z or u, as the person chose."""
        return self.state.coordinates

    def _dress(self, figure) -> None:
        self._label_axes(figure)
        for renderer in figure.renderers:
            if renderer.glyph.__class__.__name__ == "Scatter":
                renderer.data_source.name = "examples"
                renderer.data_source.selected.on_change("indices", self._on_select)

    # What a person does

    def _on_select(self, attr: str, old: list[int], new: list[int]) -> None:
        self.state.selection = list(new)

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
        if self.color_by == "label":
            count = max(1, len(self.state.run.dataset.class_names))
            return self._points(), self._classes().astype(float), tuple(class_colors(count)), (-0.5, count - 0.5)
        mu, logvar = snapshot.embedding
        if self.color_by == "KL":
            values = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
        else:
            values = np.exp(0.5 * logvar).mean(1)
        low, high = np.percentile(values, (1, 99))
        return self._points(), values.astype(float), NUMBERS, (float(low), float(max(high, low + 1e-6)))

    def _scatter_plot(self, points, values, colors, limits) -> hv.Points:
        return scatter_plot(points, values, colors=colors, limits=limits).opts(
            tools=["pan", "wheel_zoom", "box_select", "lasso_select", "reset"]
        )

    def _backdrop(self) -> tuple:
        """Return the manifold under the points where it lies exactly: the tiles' grid is uniform in these coordinates."""
        frame = self.state.frame
        blank = np.zeros((1, 1, frame.manifold.shape[2]), np.uint8)
        if self.state.latent_dim == 1 or frame.coordinates != self.state.coordinates or self.state.coordinates == "z":
            return blank, (-1e-9, -1e-9, 1e-9, 1e-9)
        return frame.manifold, (0, 0, 1, 1)

    @param.depends("color_by", "hidden_classes", watch=True)
    def _update_scatter(self, *_) -> None:
        self._dots.send(self._scatter())
        if self.state.coordinates == "u":
            self._ground.send(self._backdrop())
        if self.extent == "auto":
            self._update_ranges()

    def _update_coordinates(self, *_) -> None:
        self._dots.send(self._scatter())
        self._ground.send(self._backdrop())
        for marks in self._marks.values():
            self._label_axes(marks.figure)
        self._update_ranges()
        self._update_cursor()
        self._update_path()

    @param.depends("extent", watch=True)
    def _update_ranges(self) -> None:
        self._set_ranges(*self._ranges())

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ranges across and up, of one length, so that both axes have one scale."""
        if self.state.coordinates == "u":
            return (0.0, 1.0), (0.0, 1.0)
        if self.extent != "auto":
            limit = float(self.extent[1:])
            return (-limit, limit), (-limit, limit)
        limit = 1.05 * max(1e-3, float(np.abs(self.state.in_plane(self.state.frame.snapshot.mu)).max()))
        return (-limit, limit), (-limit, limit)

    def _update_selection(self, *_) -> None:
        for marks in self._marks.values():
            for renderer in marks.figure.renderers:
                source = renderer.data_source
                if source.name == "examples" and list(source.selected.indices) != self.state.selection:
                    source.selected.indices = list(self.state.selection)

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
                label="Show only these classes", options={name: i for i, name in enumerate(names)}, size="small"
            )
            search.param.watch(self._on_search, "value")
            self._legend.objects = [search]

    def _on_search(self, event: param.parameterized.Event) -> None:
        everything = range(len(self.state.run.dataset.class_names))
        self.hidden_classes = [i for i in everything if i not in event.new] if event.new else []

    def _chip(self, number: int, name: str, color: str) -> pn.viewable.Viewable:
        chip = pmui.Toggle(
            name=name, value=True, margin=0, size="small", sx=_chip_style(color), description=f"Show or hide {name}"
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


