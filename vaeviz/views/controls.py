"""The drawer: data, model, objective, optimizer and run, and the buttons that drive them."""

import asyncio
import html
from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.data import DATASET_NAMES, Dataset, load_dataset
from vaeviz.models import VAE, ConvVAE, DenseVAE
from vaeviz.training import TrainConfig, TrainingRun, available_devices
from vaeviz.views.runs import register_run
from vaeviz.views.view import View, text

A_PATH = "a file or folder …"
EPOCHS = 100
SECTION_CSS = (
    ":host { margin: 10px 12px 2px; font-size: 11px; letter-spacing: .06em; text-transform: uppercase; opacity: .65; }"
)
HIDDEN_SIZES = "Units of each hidden layer, from the image to the code; the decoder mirrors them"
CHANNELS = "Channels of each stride-2 convolution, then the units of the dense layer; the decoder mirrors them"
DROPOUT = "Share of hidden units dropped in training"
ENDED = ("ready", "finished", "stopped", "failed")


class FieldError(ValueError):
    """What is wrong with one field of the drawer."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ControlsView(View):
    """What to train and how, and Train, Pause, Resume, Stop, Reset.

    Nothing is changed in the present run by what stands in the fields: Reset, or Train once it has ended, begins a new
    one with them. A field that can't be taken is marked, with the reason, and the present run stays as it is.

    Parameters
    ----------
    state : ExplorerState
        Its run is replaced by a new one.
    """

    busy = param.Boolean(False, doc="Whether data are being loaded for a new run.")

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        run: TrainingRun = self.state.run
        config = run.config
        names = [*DATASET_NAMES, A_PATH]
        known = run.dataset.name if run.dataset.name in DATASET_NAMES else A_PATH
        model = run.model.config if isinstance(run.model, DenseVAE | ConvVAE) else {}
        sizes = model.get("hidden_sizes", (500, 500))
        channels = (*model.get("channels", (32, 64)), model.get("hidden_size", 256))
        self.fields: dict[str, Any] = {
            "data": _select("Dataset", names, known),
            "path": _entry("Path on the server", "", placeholder=".npz, .npy, IDX, .csv or an image folder"),
            "family": _group(["dense", "convolutional"], "convolutional" if "channels" in model else "dense"),
            "hidden_sizes": _entry("Hidden sizes", ", ".join(map(str, sizes)), description=HIDDEN_SIZES),
            "channels": _entry("Channels, then hidden size", ", ".join(map(str, channels)), description=CHANNELS),
            "latent_dim": _entry("Latent dimensions", str(run.snapshot().vae.latent_dim)),
            "dropout": _entry("Dropout", str(model.get("dropout", 0.0)), description=DROPOUT),
            "beta": _entry("β, weight of the KL", f"{config.beta:g}"),
            "learning_rate": _entry("Learning rate", f"{config.learning_rate:g}"),
            "schedule": _select("Schedule", ["constant", "one-cycle"], config.schedule),
            "batch_size": _entry("Batch size", str(config.batch_size)),
            "epochs": _entry("Epochs", str(config.epochs)),
            "seed": _entry("Seed", str(config.seed)),
            "device": _select("Device", ["auto", *available_devices()], config.device),
        }  # fmt: skip
        self._train = _button("Train", self._on_train, color="primary", variant="contained", icon="play_arrow")
        self._pause = _button("Pause", self._on_pause, color="primary", variant="contained", icon="pause")
        self._resume = _button("Resume", self._on_resume, color="primary", variant="contained", icon="play_arrow")
        self._stop = _button("Stop", self._on_stop, icon="stop")
        self._reset = _button("Reset", self._on_reset, icon="replay")
        self._note = text(css=":host { margin: 4px 12px; font-size: 12px; opacity: .75; } div { white-space: normal; }")
        fields = self.fields
        self._layout = pn.Column(
            pn.Row(self._train, self._pause, self._resume, self._stop, self._reset, margin=(8, 8, 0, 8)),
            self._note,
            _section("Data"), fields["data"], fields["path"],
            _section("Model"), fields["family"], fields["hidden_sizes"], fields["channels"],
            pn.Row(fields["latent_dim"], fields["dropout"], margin=0),
            _section("Objective and optimizer"),
            pn.Row(fields["beta"], fields["learning_rate"], margin=0),
            pn.Row(fields["batch_size"], fields["schedule"], margin=0),
            _section("Run"),
            pn.Row(fields["epochs"], fields["seed"], margin=0), fields["device"],
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        for name, field in fields.items():
            field.param.watch(lambda _, name=name: self._on_edit(name), "value")
        self.state.param.watch(self._update, ["status", "run"])
        self._on_edit("data")
        self._update()

    # What a person does

    def _on_edit(self, name: str) -> None:
        self.fields["path"].visible = self.fields["data"].value == A_PATH
        dense = self.fields["family"].value == "dense"
        self.fields["hidden_sizes"].visible = dense
        self.fields["channels"].visible = not dense
        self._mark(None)
        try:
            self.read_model_options()
            self.read_config()
        except FieldError as error:
            self._mark(error)
        self._update()

    async def _on_train(self, _) -> None:
        # A run that has not begun is taken as it is if the fields still describe it.
        if self.state.status == "ready" and not self.edited:
            self._start()
        else:
            await self._begin_anew(then=self._start)

    async def _on_pause(self, _) -> None:
        await self._ask(self.state.run.pause)

    async def _on_resume(self, _) -> None:
        await self._ask(self.state.run.resume)

    async def _on_stop(self, _) -> None:
        await self._ask(self.state.run.stop)

    async def _on_reset(self, _) -> None:
        await self._begin_anew()

    def _start(self) -> None:
        self.state.run.start()
        self.state.look()

    async def _ask(self, wish: Callable[[], None]) -> None:
        """Ask the run for something that it does after its present step; the page does not wait for it."""
        await asyncio.to_thread(wish)
        self.state.schedule(self.state.look)

    async def _begin_anew(self, then: Callable[[], None] | None = None) -> None:
        """Put a new run, made from the fields, in the place of the present one, which is stopped.

        What can't be made leaves all as it is, and is told.
        """
        if self.busy:
            return
        self.busy = True
        try:
            run = await asyncio.to_thread(self.make_run)
            await asyncio.to_thread(self.state.run.stop)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            self.state.schedule(lambda error=error: self._refuse(error))
        else:
            self.state.schedule(lambda: self._replace(run, then))
        finally:
            self.busy = False

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, FieldError):
            self._mark(error)
        self.state.alert = str(error) or type(error).__name__

    def _replace(self, run: TrainingRun, then: Callable[[], None] | None) -> None:
        self._mark(None)
        self.state.run = register_run(run)
        if then is not None:
            then()

    # From the fields to a run

    @property
    def edited(self) -> bool:
        """Whether the fields describe another run than the present one."""
        run = self.state.run
        try:
            kind, options = self.read_model_options()
            config = self.read_config()
        except FieldError:
            return True
        present = run.model.config if isinstance(run.model, kind) else {}
        same_model = bool(present) and all(
            _plain(present.get(name)) == _plain(value) for name, value in options.items()
        )
        return not (same_model and config == run.config and self._source() in (run.dataset.name, self._loaded_from()))

    def make_run(self) -> TrainingRun:
        """Return a new run as the fields describe it; it touches no widget, so that any thread may.

        Raises
        ------
        ValueError, OSError
            In words for the person.
        """
        kind, options = self.read_model_options()
        config = self.read_config()
        source = self._source()
        dataset = self.state.run.dataset if source == self._loaded_from() else _load(source)
        dataset_source[id(dataset)] = source
        try:
            model: VAE = kind(dataset.image_shape, **options)
        except ValueError as error:
            name = str(error).partition("=")[0]
            raise FieldError(name if name in self.fields else "hidden_sizes", str(error)) from error
        try:
            return TrainingRun(model, dataset, config)
        except ValueError as error:
            name = str(error).partition("=")[0]
            raise FieldError(name, str(error)) if name in self.fields else error from error

    def read_model_options(self) -> tuple[type[VAE], dict[str, Any]]:
        """Return the kind of model and its options, as the fields say.

        Raises
        ------
        FieldError
        """
        options: dict[str, Any] = {
            "latent_dim": self._number("latent_dim", int, "a whole number from 1 to 1,000", lambda v: 1 <= v <= 1000),
            "dropout": self._number("dropout", float, "a number from 0 up to, but not, 1", lambda v: 0 <= v < 1),
        }
        if self.fields["family"].value == "dense":
            return DenseVAE, {"hidden_sizes": self._sizes("hidden_sizes", 1), **options}
        *channels, hidden = self._sizes("channels", 2)
        return ConvVAE, {"channels": tuple(channels), "hidden_size": hidden, **options}

    def read_config(self) -> TrainConfig:
        """Return the configuration that the fields say.

        Raises
        ------
        FieldError
        """
        values = {
            "beta": self._number("beta", float, "a number of at least 0", lambda v: 0 <= v < float("inf")),
            "learning_rate": self._number(
                "learning_rate", float, "a number above 0, at most 10", lambda v: 0 < v <= 10
            ),
            "batch_size": self._number("batch_size", int, "a whole number of at least 1", lambda v: v >= 1),
            "epochs": self._number("epochs", int, "a whole number of at least 1", lambda v: v >= 1),
            "seed": self._number("seed", int, "a whole number of at least 0", lambda v: 0 <= v < 2**63),
            "schedule": self.fields["schedule"].value,
            "device": self.fields["device"].value,
        }
        return TrainConfig(**values)

    def _number(self, name: str, kind: Callable[[str], Any], allowed: str, fits: Callable[[Any], bool]) -> Any:
        field = self.fields[name]
        try:
            value = kind(field.value.strip().replace(",", "") if kind is int else field.value.strip())
            if fits(value):
                return value
        except ValueError:
            pass
        raise FieldError(name, f"{field.label} is {field.value!r}: it must be {allowed}")

    def _sizes(self, name: str, least: int) -> tuple[int, ...]:
        field = self.fields[name]
        words = [word.strip() for word in field.value.replace("-", ",").split(",")]
        if len(words) < least or not all(
            word.isascii() and word.isdigit() and 1 <= int(word) <= 16384 for word in words
        ):
            example = "500, 500" if least == 1 else "32, 64, 256"
            raise FieldError(
                name,
                f"{field.label} is {field.value!r}: write whole numbers from 1 to 16384 with commas, such as {example}",
            )
        return tuple(int(word) for word in words)

    def _source(self) -> str:
        return self.fields["path"].value.strip() if self.fields["data"].value == A_PATH else self.fields["data"].value

    def _loaded_from(self) -> str:
        dataset = self.state.run.dataset
        return dataset_source.get(id(dataset), dataset.name)

    # What follows from state

    def _mark(self, error: FieldError | None) -> None:
        for name, field in self.fields.items():
            if isinstance(field, pmui.TextInput):
                wrong = error is not None and name == error.field
                field.param.update(error_state=wrong, helper_text=str(error).partition(": ")[2] if wrong else "")

    @param.depends("busy", watch=True)
    def _update(self, *_) -> None:
        status = self.state.status
        self._train.visible = status in ENDED
        self._pause.visible = status == "running"
        self._resume.visible = status == "paused"
        self._stop.disabled = status not in ("running", "paused")
        self._train.disabled = self._reset.disabled = self.busy
        if self.busy:
            note = "Loading …"
        elif status in ("finished", "stopped", "failed"):
            note = f"{status.capitalize()}. Train and Reset begin a new run with the fields below."
        elif self.edited:
            note = "Changed fields take effect with " + ("Train." if status == "ready" else "Reset.")
        else:
            note = "A new run, not yet begun." if status == "ready" else ""
        self._note.object = f"<div>{html.escape(note)}</div>"


dataset_source: dict[int, str] = {}
"""Under which name or path a dataset, by its id, was asked for."""

_loaded: dict[str, Dataset] = {}


def _load(source: str) -> Dataset:
    """Load a dataset, the published ones once for all sessions."""
    if not source:
        raise FieldError("path", "Path on the server is empty: write the path of a file or folder")
    if source not in DATASET_NAMES:
        return load_dataset(source)
    if source not in _loaded:
        _loaded[source] = load_dataset(source)
    return _loaded[source]


def default_run() -> TrainingRun:
    """Return a run of the default model on the default data, ready to start."""
    dataset = _load("mnist-5k")
    return TrainingRun(DenseVAE(dataset.image_shape), dataset, TrainConfig(epochs=EPOCHS))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _entry(label: str, value: str, **params) -> pmui.TextInput:
    return pmui.TextInput(label=label, value=value, size="small", sizing_mode="stretch_width", margin=(5, 10), **params)


def _select(label: str, options: list[str], value: str) -> pmui.Select:
    return pmui.Select(
        label=label, options=options, value=value, size="small", sizing_mode="stretch_width", margin=(5, 10)
    )


def _group(options: list[str], value: str) -> pmui.RadioButtonGroup:
    return pmui.RadioButtonGroup(
        options=options, value=value, size="small", sizing_mode="stretch_width", margin=(5, 10)
    )


def _button(
    name: str, on_click: Callable, *, color: str = "default", variant: str = "outlined", icon: str = ""
) -> pmui.Button:
    return pmui.Button(label=name, on_click=on_click, color=color, variant=variant, icon=icon, size="small", margin=4)


def _section(name: str) -> pn.pane.HTML:
    return text(name, css=SECTION_CSS)
