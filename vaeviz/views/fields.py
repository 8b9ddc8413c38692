"""The drawer's fields: what to train and how, read into a model, a configuration and a dataset."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import panel as pn
import panel_material_ui as pmui

from vaeviz.data import DATASET_NAMES, Dataset
from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.training import Run, SavedRun, TrainConfig, TrainingRun, available_devices
from vaeviz.views.runs import EPOCHS, load_once, new_run
from vaeviz.views.sharing import is_shared
from vaeviz.views.upload import UploadView
from vaeviz.views.view import text

A_PATH = "a file or folder …"
SECTION_CSS = (
    ":host { margin: 8px 12px 0; font-size: 11px; letter-spacing: .06em; text-transform: uppercase; opacity: .65; }"
)
HIDDEN_SIZES = "Units of each hidden layer, from the image to the code; the decoder mirrors them"
CHANNELS = "Channels of each stride-2 convolution, then the units of the dense layer; the decoder mirrors them"
DROPOUT = "Share of hidden units dropped in training"


class FieldError(ValueError):
    """What is wrong with one field of the drawer."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Fields:
    """What a new run will be.

    Parameters
    ----------
    run : Run
        Whose settings are shown at first.
    upload : UploadView
        Whose dataset is offered beside the others.
    """

    def __init__(self, run: Run, upload: UploadView) -> None:
        self.upload = upload
        self._widgets: dict[str, Any] = {
            "data": select("Dataset", [*DATASET_NAMES, *_a_path()], DATASET_NAMES[0]),
            "path": entry("Path on the server", placeholder=".npz, .npy, IDX, .csv or an image folder"),
            "family": _group(["dense", "convolutional"]),
            "hidden_sizes": entry("Hidden sizes", "500, 500", description=HIDDEN_SIZES),
            "channels": entry("Channels, then hidden size", "32, 64, 256", description=CHANNELS),
            "latent_dim": entry("Latent dimensions", "2"),
            "dropout": entry("Dropout", "0.0", description=DROPOUT),
            "beta": entry("β, weight of the KL"),
            "learning_rate": entry("Learning rate"),
            "schedule": select("Schedule", ["constant", "one-cycle"], "constant"),
            "batch_size": entry("Batch size"),
            "epochs": entry("Epochs"),
            "seed": entry("Seed"),
            "device": select("Device", ["auto", *available_devices()], "auto"),
        }  # fmt: skip
        self.layout = self._lay_out()
        self.show(run)
        upload.param.watch(self._on_upload, "dataset")

    def __getitem__(self, name: str) -> Any:
        return self._widgets[name]

    def _lay_out(self) -> pn.Column:
        fields = self._widgets
        return pn.Column(
            section("Data"), fields["data"], fields["path"], self.upload,
            section("Model"), fields["family"], fields["hidden_sizes"], fields["channels"],
            pn.Row(fields["latent_dim"], fields["dropout"], margin=0),
            section("Objective and optimizer"),
            pn.Row(fields["beta"], fields["learning_rate"], margin=0),
            pn.Row(fields["batch_size"], fields["schedule"], margin=0),
            section("Run"),
            pn.Row(fields["epochs"], fields["seed"], margin=0), fields["device"],
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def watch(self, on_edit: Callable[[], None]) -> None:
        """Call a function after each change."""
        for field in self._widgets.values():
            field.param.watch(lambda _: on_edit(), "value")

    # From a run to the fields

    def show(self, run: Run) -> None:
        """Show the settings of a run; of one that was not trained here on these data, only those of its model."""
        ours = isinstance(run, TrainingRun | SavedRun)
        self._config = run.config if ours else TrainConfig(epochs=EPOCHS)
        self._dataset = run.dataset
        self._show_data(run.dataset)
        self._show_model(run)
        config, devices = self._config, self._widgets["device"].options
        values = {name: getattr(config, name) for name in ("batch_size", "epochs", "seed")}
        self._fill(
            **{name: str(value) for name, value in values.items()},
            beta=_plain(config.beta),
            learning_rate=_plain(config.learning_rate),
            schedule=config.schedule,
            device=config.device if config.device in devices else "auto",
        )
        self._shown = self._read()

    def _show_data(self, dataset: Dataset) -> None:
        # Data made from arrays have no source to load them from again: they are offered by their own name. So are those
        # of a file, where visitors are not to know the server's folders.
        source = dataset.source if dataset.source in DATASET_NAMES or not is_shared() else None
        self._own = [] if source or dataset.name in DATASET_NAMES else [dataset.name]
        self._widgets["data"].options = self._offered()
        by_name = not source or source in DATASET_NAMES
        self._fill(data=(source or dataset.name) if by_name else A_PATH, path="" if by_name else source)

    def _offered(self) -> list[str]:
        return [*DATASET_NAMES, *self._own, *self._uploaded(), *_a_path()]

    def _uploaded(self) -> dict[str, Dataset]:
        """Return what was uploaded last, by a name that nothing else is offered by; nothing if it is shown already."""
        dataset = self.upload.dataset
        if dataset is None or dataset is self._dataset:
            return {}
        others = [*DATASET_NAMES, *self._own]
        names = [dataset.name, *(f"{dataset.name} ({number})" for number in range(2, len(others) + 3))]
        return {next(name for name in names if name not in others): dataset}

    def _on_upload(self, _) -> None:
        self._widgets["data"].param.update(options=self._offered(), value=next(iter(self._uploaded())))

    def _show_model(self, run: Run) -> None:
        model = getattr(run, "model", None)
        options = model.config if isinstance(model, DenseVAE | ConvVAE) else {}
        values = {"latent_dim": str(run.snapshot().vae.latent_dim), "dropout": str(options.get("dropout", 0.0))}
        if "channels" in options:
            values["channels"] = ", ".join(map(str, (*options["channels"], options["hidden_size"])))
        if "hidden_sizes" in options:
            values["hidden_sizes"] = ", ".join(map(str, options["hidden_sizes"]))
        self._fill(family="convolutional" if "channels" in options else "dense", **values)

    def _fill(self, **values: str) -> None:
        for name, value in values.items():
            self._widgets[name].value = value

    # From the fields to a run

    @property
    def edited(self) -> bool:
        """Whether the fields describe another run than the one that was shown."""
        try:
            return self._read() != self._shown
        except FieldError:
            return True

    def _read(self) -> tuple[object, ...]:
        return *self.model_options(), self.config(), self._source()

    def make_run(self) -> TrainingRun:
        """Return a new run as the fields describe it; it touches no widget, so that any thread may.

        Raises
        ------
        ValueError, OSError
            In words for the person.
        """
        kind, options = self.model_options()
        config = self.config()
        dataset = self._load()
        try:
            return new_run(kind, options, dataset, config)
        except ValueError as error:
            name = str(error).partition("=")[0]
            raise FieldError(name, str(error)) if name in self._widgets else error from error

    def model_options(self) -> tuple[type[DenseVAE] | type[ConvVAE], dict[str, Any]]:
        """Return the kind of model and its options, as the fields say.

        Raises
        ------
        FieldError
        """
        options: dict[str, Any] = {
            "latent_dim": self._number("latent_dim", int, "a whole number from 1 to 1,000", lambda v: 1 <= v <= 1000),
            "dropout": self._number("dropout", float, "a number from 0 up to, but not, 1", lambda v: 0 <= v < 1),
        }
        if self._widgets["family"].value == "dense":
            return DenseVAE, {"hidden_sizes": self._sizes("hidden_sizes", 1), **options}
        *channels, hidden = self._sizes("channels", 2)
        return ConvVAE, {"channels": tuple(channels), "hidden_size": hidden, **options}

    def config(self) -> TrainConfig:
        """Return the configuration that the fields say; what has no field is as in the run that was shown.

        Raises
        ------
        FieldError
        """
        epochs = self._number("epochs", int, "a whole number of at least 1", lambda v: v >= 1)
        return replace(
            self._config,
            epochs=epochs,
            steps=self._config.steps if epochs == self._config.epochs else None,
            beta=self._number("beta", float, "a number of at least 0", lambda v: 0 <= v < float("inf")),
            learning_rate=self._number(
                "learning_rate", float, "a number above 0, at most 10", lambda v: 0 < v <= 10
            ),
            batch_size=self._number("batch_size", int, "a whole number of at least 1", lambda v: v >= 1),
            seed=self._number("seed", int, "a whole number of at least 0", lambda v: 0 <= v < 2**63),
            schedule=self._widgets["schedule"].value,
            device=self._widgets["device"].value,
        )  # fmt: skip

    def _number(self, name: str, kind: Callable[[str], Any], allowed: str, fits: Callable[[Any], bool]) -> Any:
        field = self._widgets[name]
        try:
            value = kind(field.value.strip().replace(",", "") if kind is int else field.value.strip())
            if fits(value):
                return value
        except ValueError:
            pass
        raise FieldError(name, f"{field.label} is {field.value!r}: it must be {allowed}")

    def _sizes(self, name: str, least: int) -> tuple[int, ...]:
        field = self._widgets[name]
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
        data = self._widgets["data"].value
        return self._widgets["path"].value.strip() if data == A_PATH else data

    def _load(self) -> Dataset:
        source = self._source()
        if source == self._shown[-1]:
            return self._dataset
        if source in self._uploaded():
            return self._uploaded()[source]
        if not source:
            raise FieldError("path", "Path on the server is empty: write the path of a file or folder")
        if source not in DATASET_NAMES and is_shared():  # asked by a browser of somebody's own making
            raise FieldError("path", "Path on the server: this server reads no files for its visitors")
        return load_once(source)

    # What the person sees

    def check(self) -> None:
        """Mark the first field that can't be taken, and show those that matter."""
        dense = self._widgets["family"].value == "dense"
        self._widgets["path"].visible = self._widgets["data"].value == A_PATH
        self._widgets["hidden_sizes"].visible = dense
        self._widgets["channels"].visible = not dense
        try:
            self._read()
        except FieldError as error:
            self.mark(error)
        else:
            self.mark(None)

    def mark(self, error: FieldError | None) -> None:
        """Show a field as wrong, with the reason, and no other."""
        for name, field in self._widgets.items():
            if isinstance(field, pmui.TextInput):
                wrong = error is not None and name == error.field
                field.param.update(error_state=wrong, helper_text=str(error).partition(": ")[2] if wrong else "")


def _a_path() -> list[str]:
    return [] if is_shared() else [A_PATH]


def entry(label: str, value: str = "", **params) -> pmui.TextInput:
    """Return a field of the drawer to write in."""
    return pmui.TextInput(label=label, value=value, size="small", sizing_mode="stretch_width", margin=(5, 10), **params)


def select(label: str, options: Any, value: str | None) -> pmui.Select:
    """Return a field of the drawer to choose in."""
    return pmui.Select(
        label=label, options=options, value=value, size="small", sizing_mode="stretch_width", margin=(5, 10)
    )


def button(label: str, on_click: Callable, *, color: str = "default", margin: Any = 4, **params) -> pmui.Button:
    """Return a button of the drawer."""
    params = {"variant": "outlined", **params}
    return pmui.Button(label=label, on_click=on_click, color=color, size="small", margin=margin, **params)


def section(name: str) -> pn.pane.HTML:
    """Return the heading of a part of the drawer."""
    return text(name, css=SECTION_CSS)


def _plain(number: float) -> str:
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _group(options: list[str]) -> pmui.RadioButtonGroup:
    return pmui.RadioButtonGroup(
        options=options, value=options[0], size="small", sizing_mode="stretch_width", margin=(5, 10)
    )
