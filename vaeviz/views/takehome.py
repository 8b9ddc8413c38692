"""Take it home: every view as a picture, the training as a film, examples and metrics as files."""

import asyncio
import io
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.cores import one_thread
from vaeviz.private_folder import PrivateFolder
from vaeviz.training import Run
from vaeviz.training.aside import aside
from vaeviz.views.view import COMPACT, View, choice, text

TELL_SECONDS = 0.3
"""How often the progress of a film is told."""

MOST_PAIRS = 14
"""Examples of a picture of reconstructions."""

PICTURES = ("latent + manifold", "latent", "manifold", "loss", "cursor", "A to B", "reconstructions", "traversals")
FILMS = {"scatter + manifold": "both", "scatter": "scatter", "manifold": "manifold"}
NOTE_CSS = ":host { font-size: 12px; opacity: .75; margin: 6px 0 0; } div { white-space: normal; }"
LABEL_CSS = ":host { font-size: 12.5px; width: 118px; margin: 0; } div { font-weight: 600; line-height: 26px; }"


class Wish(NamedTuple):
    """What is to be taken home, read from the state in one moment, so that any thread may make it."""

    run: Run
    step: int | None
    selection: list[int]
    endpoints: np.ndarray
    path_kind: str
    cursor: np.ndarray
    base: np.ndarray
    options: dict


class TakeHomeView(View):
    """Pictures as PNG or SVG, the evolution as GIF or MP4, metrics and selected examples as CSV or NPZ.

    What the timeline shows is what is drawn. Everything is made beside the page, and handed over by the browser.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    picture = param.Selector(default=PICTURES[0], objects=list(PICTURES), doc="Which picture is drawn.")
    film = param.Selector(default=next(iter(FILMS)), objects=list(FILMS), doc="What evolves in the film.")
    theme = param.Selector(default="light", objects=["light", "dark"], doc="The ground of pictures and films.")
    busy = param.Boolean(False, doc="Whether something is being made.")

    title = "Take home"
    hint = "of the step that is shown; films show every kept step"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._task: asyncio.Task | None = None
        self._buttons: list[pmui.Button] = []
        self._progress = pmui.LinearProgress(value=0, variant="determinate", width=220, height=6, visible=False)
        self._words = text(css=NOTE_CSS)
        self._download = pmui.FileDownload(auto=True, filename="", label="", stylesheets=[":host { display: none; }"])
        self._layout = self._card(
            pn.Column(
                self._row("Picture", choice(self.param.picture, 168), "png", "svg"),
                self._row("Evolution", choice(self.param.film, 168), "gif", "mp4"),
                self._row("Metrics", None, "metrics csv"),
                self._row("Selected examples", None, "examples csv", "examples npz"),
                pn.Row(self._progress, self._words, margin=0),
                self._download,
                sizing_mode="stretch_both", margin=(10, 16), stylesheets=[":host { gap: 9px; overflow: auto; }"],
            ),
            choice(self.param.theme, 76),
        )  # fmt: skip
        self.state.param.watch(self._update, "selection")
        self._update()

    def _row(self, label: str, menu: pn.viewable.Viewable | None, *forms: str) -> pn.Row:
        buttons = [
            pmui.Button(
                label=form.split()[-1].upper(), icon="download", size="small", variant="outlined", margin=0, sx=COMPACT,
                on_click=lambda _, form=form: self._on_save(form),
            ) for form in forms
        ]  # fmt: skip
        if forms[0].startswith("examples"):
            self._of_selection = buttons
        self._buttons += buttons
        parts = [text(label, css=LABEL_CSS), *([] if menu is None else [menu]), *buttons]
        return pn.Row(*parts, margin=0, stylesheets=[":host { gap: 8px; align-items: center; }"])

    # What a person does

    def _on_save(self, form: str) -> None:
        if self.busy:
            return
        self.busy = True
        wish, name = self._wish(), self.file_name(form)
        self._download.param.update(data=None, filename=name)  # the same file a second time is to come as well
        self._task = asyncio.get_running_loop().create_task(self._make(form, wish, name))

    def _wish(self) -> Wish:
        state = self.state
        coordinates = {"coordinates": state.coordinates, "manifold_range": state.manifold_range}
        colors = {} if state.color_by == "reconstruction" else {"color_by": state.color_by}
        axes = {} if state.plane.axes is None or len(state.plane.axes) < 2 else {"axes": state.plane.axes}
        return Wish(
            run=state.run,
            step=None if state.live else state.frame.snapshot.step,
            selection=list(state.selection),
            endpoints=state.endpoints.copy(),
            path_kind=state.path_kind,
            cursor=state.cursor.copy(),
            base=state.base(),
            options={"theme": self.theme, "side": state.manifold_side, **coordinates, **colors, **axes},
        )

    async def _make(self, form: str, wish: Wish, name: str) -> None:
        last = -TELL_SECONDS

        def tell(done: int, total: int) -> None:
            nonlocal last
            if time.perf_counter() - last > TELL_SECONDS:
                last = time.perf_counter()
                self.state.schedule(lambda: self._tell(done, total))

        try:
            content = await aside(make_file, form, self.picture, FILMS[self.film], wish, tell)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            reason = f"{name} can't be made: {error}"
            self.state.schedule(lambda: self._end(None, name, reason))
        else:
            self.state.schedule(lambda: self._end(content, name))

    def file_name(self, form: str) -> str:
        """Return what the file is called, such as "latent-manifold-step-1024.png"."""
        suffix = form.split()[-1]
        what = {"png": self.picture, "svg": self.picture, "gif": "evolution", "mp4": "evolution"}.get(
            suffix, form.split()[0]
        )
        what = what.lower().replace(" + ", "-").replace(" ", "-")
        return f"{what}-step-{self.state.frame.snapshot.step}.{suffix}"

    # What follows

    def _tell(self, done: int, total: int) -> None:
        if self.busy:
            self._progress.param.update(visible=True, value=int(100 * done / max(total, 1)))

    def _end(self, content: bytes | None, name: str, reason: str = "") -> None:
        self.busy = False
        self._progress.visible = False
        if content is None:
            self.state.alert = reason
        else:
            self._words.object = f"<div>{name}, {len(content) / 1e6:.1f} MB</div>"
            self._download.file = io.BytesIO(content)
            self._download.transfer(download=True)

    @param.depends("busy", watch=True)
    def _update(self, *_) -> None:
        for button in self._buttons:
            button.disabled = self.busy
        for button in self._of_selection:
            button.disabled = self.busy or not self.state.selection
        if self.busy:
            self._words.object = "<div>Being made …</div>"


def make_file(form: str, picture: str, film: str, wish: Wish, tell: Callable[[int, int], object]) -> bytes:
    """Return the bytes of a file; any thread may.

    Raises
    ------
    ValueError
        If there is nothing to draw yet, or the film has one frame only; in words for the person.
    """
    from vaeviz import export  # with matplotlib: not for every page

    run, step = wish.run, wish.step
    with one_thread():
        if form in ("png", "svg"):
            return export.to_bytes(draw(picture, wish), form)
        if form in ("gif", "mp4"):
            options = {name: value for name, value in wish.options.items() if name != "manifold_range"}
            with PrivateFolder("film") as folder:
                path = folder / f"evolution.{form}"
                return export.export_animation(run, path, what=film, progress=tell, **options).read_bytes()
        if form == "examples npz":
            target = io.BytesIO()
            export.examples_npz(run, wish.selection, target, step=step, codes=wish.endpoints)
            return target.getvalue()
        words = io.StringIO()
        if form == "metrics csv":
            export.metrics_csv(run, words)
        else:
            export.examples_csv(run, wish.selection, words, step=step)
        return words.getvalue().encode()


def draw(picture: str, wish: Wish):
    """Return the figure of that name."""
    from vaeviz import export

    run, step, theme = wish.run, wish.step, wish.options["theme"]
    match picture:
        case "loss":
            return export.loss_figure(run, theme=theme)
        case "cursor":
            return export.cursor_figure(run, wish.cursor, step=step, theme=theme)
        case "A to B":
            return export.interpolation_figure(run, wish.endpoints, kind=wish.path_kind, step=step, theme=theme)
        case "reconstructions":
            rows = wish.selection[:MOST_PAIRS] or range(min(MOST_PAIRS, len(run.snapshot().ids)))
            return export.reconstruction_figure(run, list(rows), step=step, theme=theme)
        case "traversals":
            return export.traversal_figure(run, base=wish.base, step=step, theme=theme)
    what = {"latent + manifold": "both", "latent": "scatter"}.get(picture, picture)
    return export.planes_figure(run, step, what=what, **wish.options)
