"""Selected examples, their reconstructions, and where the two differ."""

import html

import numpy as np
from bokeh.models import FixedTicker

from vaeviz.latent import decode
from vaeviz.views.layers import PictureLayer
from vaeviz.views.pictures import mosaic
from vaeviz.views.plots import picture_plot
from vaeviz.views.view import View, dress, plot_pane

MOST = 14
ROWS = ("difference", "reconstruction", "original")


class ReconstructionView(View):
    """Original over reconstruction over their absolute difference, of the examples chosen by lasso or box.

    Reconstructed from the posterior's mean. With nothing selected, the first embedded examples are shown.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    title = "Reconstructions"
    figure_name = "reconstructions"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._figures: dict = {}
        self._tiles = PictureLayer("pairs")
        self._figure = plot_pane()
        self._channels = 0
        self._update_run()
        self._layout = self._card(self._figure)
        self.state.param.watch(self._update, ["selection", "frame"])
        self._update_words()

    @property
    def rows(self) -> list[int]:
        """The rows of the examples that are shown."""
        count = len(self.state.frame.snapshot.ids)
        chosen = [row for row in self.state.selection if row < count]
        if len(chosen) > MOST:  # evenly from all of a large selection, not only its first class
            chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, MOST).round().astype(int)]
        return chosen or list(range(min(MOST, count)))

    def _pictures(self) -> tuple:
        snapshot, rows = self.state.frame.snapshot, self.rows
        originals = snapshot.images[rows].numpy()
        originals = originals / np.float32(255) if originals.dtype == np.uint8 else originals
        again = decode(snapshot.vae, snapshot.mu[rows])
        stack = np.concatenate((originals, again, np.abs(originals - again)))
        return mosaic(stack, len(ROWS), len(rows)), (0, 0, len(rows), len(ROWS))

    def _update_run(self, *_) -> None:
        channels = self.state.run.dataset.image_shape[0]
        if channels != self._channels:  # gray and colour are drawn by different glyphs
            self._channels = channels
            self._figures.clear()
            self._tiles.clear()
            self._figure.object = picture_plot(*self._pictures()).opts(
                hooks=[self._tiles.attach, self._attach], responsive=True, default_tools=[], toolbar=None,
                framewise=False, xlim=(0, MOST), ylim=(0, 3),
            )  # fmt: skip

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id in self._figures:
            return
        self._figures[figure.id] = figure
        dress(figure, self.figure_name)
        figure.update(toolbar_location=None)
        figure.grid.visible = False
        figure.yaxis.ticker = FixedTicker(ticks=[0.5, 1.5, 2.5])
        figure.yaxis.major_label_overrides = {i + 0.5: name for i, name in enumerate(ROWS)}
        figure.yaxis.axis_label = None
        figure.xaxis.axis_label = None
        figure.xaxis.ticker = FixedTicker(ticks=[])
        self._label_columns(figure)

    def _label_columns(self, figure) -> None:
        labels = [self.state.label_of(row) for row in self.rows]
        # The ticker itself stays: a new model would have the document search all of its models, for 100 ms.
        figure.xaxis.ticker.ticks = [i + 0.5 for i in range(len(labels))]
        figure.xaxis.major_label_overrides = {i + 0.5: label for i, label in enumerate(labels)}

    def _update(self, *_) -> None:
        self._update_run()
        self._tiles.show(*self._pictures())
        for figure in self._figures.values():
            figure.x_range.update(start=0, end=MOST)
            self._label_columns(figure)
        self._update_words()

    def _update_words(self) -> None:
        count, shown = len(self.state.selection), len(self.rows)
        if not count:
            hint = f"the first {shown} examples; lasso or box some in the latent plane"
        else:
            hint = f"{shown} of {count:,} selected" if count > shown else f"{count} selected"
        self._title.object = f"<div><b>{self.title}</b> <span>{html.escape(hint)}</span></div>"
