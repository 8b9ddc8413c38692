"""The model itself: its layers from images to the loss, drawn."""

import asyncio
import copy
import html

from vaeviz.models import VAE, model_graph
from vaeviz.training import Run
from vaeviz.views.graph import GRAPH_CSS, graph_markup
from vaeviz.views.view import Markup, View, headline

BODY_CSS = ":host { overflow-x: auto; overflow-y: hidden; min-height: 0; scrollbar-width: thin; }"


class ModelView(View):
    """The graph of any VAE(encoder, decoder): layers, shapes and parameters, as torch itself runs them.

    Drawn once for each run, when it is first on the screen.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    title = "Model"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._drawn: Run | None = None
        self._task: asyncio.Task | None = None
        self._graph = Markup(
            "", stylesheets=[GRAPH_CSS, BODY_CSS], sizing_mode="stretch_both", margin=0, css_classes=["vv-model"]
        )
        self._layout = self._card(self._graph)
        self.param.watch(self._update, "shown")
        self.state.param.watch(self._update, "run")
        self._update()

    def _update(self, *_) -> None:
        """Draw the model of the present run, beside the page's thread where there is a page."""
        run = self.state.run
        if not self.shown or self._drawn is run:
            return
        self._drawn = run
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._show(run, *draw(run))
        else:
            self._task = loop.create_task(self._draw(run))

    async def _draw(self, run: Run) -> None:
        drawn = await asyncio.to_thread(draw, run)
        self.state.schedule(lambda: self._show(run, *drawn))

    def _show(self, run: Run, words: str, markup: str) -> None:
        if run is self.state.run:
            self._title.object = headline(self.title, words)
            self._graph.object = markup


def draw(run: Run) -> tuple[str, str]:
    """Return what is said of a run's model in one line, and the markup of its drawing, or of why there is none."""
    vae = run.snapshot().vae
    try:
        graph = model_graph(_as_trained(vae, run), run.dataset.image_shape)
        markup = graph_markup(graph, getattr(getattr(run, "config", None), "beta", None))
    except Exception as error:  # whatever a module of somebody else's may raise
        return vae.describe(), f'<div class="refusal">This model can\'t be drawn: {html.escape(str(error))}</div>'
    return f"{vae.describe()} · {graph.parameters:,} parameters", markup


def _as_trained(vae: VAE, run: Run) -> VAE:
    """Return a copy of a snapshot's model whose weights are as trainable or frozen as those of the run's own model."""
    own = run.model.named_parameters() if hasattr(run, "model") else ()
    trained = {name: weight.requires_grad for name, weight in own}
    same = copy.deepcopy(vae)
    for name, weight in same.named_parameters():
        weight.requires_grad_(trained.get(name, True))
    return same
