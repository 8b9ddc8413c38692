"""Examples, selected or of a split at random, their reconstructions, where the two differ, and what each costs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import panel_material_ui as pmui
import param
import torch
from jaxtyping import Float, UInt8

from vaeviz.data import Dataset
from vaeviz.latent import decode, embed, per_example_elbo
from vaeviz.training import Run, Snapshot
from vaeviz.views.pictures import mosaic
from vaeviz.views.tiles import Tiles, Word
from vaeviz.views.view import COMPACT, View, choice, headline, switch

MOST = 14
ROWS = ("original", "reconstruction", "difference")
SPLITS = {"train": "train", "valid.": "validation", "test": "test"}
ROOM = (104, 32, 8, 18)


class Pairs(NamedTuple):
    """Examples beside their reconstructions from the posterior's mean.

    Attributes
    ----------
    snapshot : Snapshot
        Whose model made them.
    ids : tuple of int
        The examples, counted in the dataset.
    picture : ndarray
        Originals, reconstructions and their absolute differences, a row each.
    reconstruction, kl : ndarray (n,)
        What each example costs, in nats.
    """

    snapshot: Snapshot
    ids: tuple[int, ...]
    picture: UInt8[np.ndarray, "R S C"]
    reconstruction: Float[np.ndarray, " n"]
    kl: Float[np.ndarray, " n"]


def reconstruct(dataset: Dataset, snapshot: Snapshot, ids: Sequence[int]) -> Pairs:
    """Reconstruct examples of a dataset, a few, with a snapshot's model."""
    images = dataset.pixels(torch.tensor(ids)).cpu()
    originals = images.numpy()
    again = decode(snapshot.vae, embed(snapshot.vae, images).mu)
    cost = per_example_elbo(snapshot.vae, images)
    stack = np.concatenate((originals, again, np.abs(originals - again)))
    return Pairs(snapshot, tuple(ids), mosaic(stack, len(ROWS), len(ids)), cost.reconstruction, cost.kl.sum(1))


class ReconstructionView(View):
    """Original over reconstruction over their absolute difference, and what each example costs in nats.

    The examples are those chosen by lasso or box (with none, the first embedded ones), or some of a split, drawn at
    random: they stay the same through time until others are asked for. Reconstructed from the posterior's mean.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    source = param.Selector(
        default="selected", objects=["selected", *SPLITS.values()], doc="Selected examples, or of which split."
    )
    count = param.Selector(default=MOST, objects=[5, 8, 10, MOST], doc="How many are drawn from a split.")
    seed = param.Integer(0, bounds=(0, None), doc="Of the draw.")

    title = "Reconstructions"
    figure_name = "reconstructions"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._tiles = Tiles(self.figure_name, "pairs", ROOM)
        self._switch = switch(self.param.source, options={"selected": "selected", **SPLITS})
        self._count = choice(self.param.count, 80, options={f"n = {n}": n for n in (5, 8, 10, MOST)})
        self._others = pmui.Button(
            label="others", size="small", variant="outlined", margin=0, sx=COMPACT, on_click=self._on_others,
            description="Draw other examples at random",
        )  # fmt: skip
        self._layout = self._card(self._tiles.pane, self._switch, self._count, self._others)
        self.state.prepare("reconstructions", self._prepare)
        self.state.param.watch(self._update, "frame")
        self.state.param.watch(self._on_selection, "selection")
        self._show()

    @property
    def rows(self) -> list[int]:
        """The rows of the embedded examples that are shown as selected."""
        return self._rows(self.state.frame.snapshot)

    @property
    def ids(self) -> tuple[int, ...]:
        """The examples that are shown, counted in the dataset."""
        return self._ids(self.state.run, self.state.frame.snapshot)

    # What a person does

    def _on_others(self, _) -> None:
        self.seed += 1

    def _on_selection(self, event) -> None:
        if event.new and self.source != "selected":
            self.source = "selected"
        else:
            self._update()

    # What follows from state

    def _rows(self, snapshot: Snapshot) -> list[int]:
        count = len(snapshot.ids)
        chosen = [row for row in self.state.selection if row < count]
        if len(chosen) > MOST:  # evenly from all of a large selection, not only its first class
            chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, MOST).round().astype(int)]
        return chosen or list(range(min(MOST, count)))

    def _ids(self, run: Run, snapshot: Snapshot) -> tuple[int, ...]:
        split = [] if self.source == "selected" else run.dataset.split(self.source)
        if not len(split):
            return tuple(snapshot.ids[self._rows(snapshot)].tolist())
        order = np.random.default_rng(self.seed).choice(len(split), min(MOST, len(split)), replace=False)
        return tuple(split[torch.from_numpy(order[: self.count])].tolist())

    def _prepare(self, run: Run, snapshot: Snapshot) -> Pairs | None:
        return reconstruct(run.dataset, snapshot, self._ids(run, snapshot)) if self.shown else None

    def _pairs(self) -> Pairs:
        """Return what was prepared with the frame, or, where a person has asked for others since, make it now."""
        snapshot, ids = self.state.frame.snapshot, self.ids
        ready = self.state.frame.prepared.get("reconstructions")
        if ready is not None and ready.snapshot is snapshot and ready.ids == ids:
            return ready
        return reconstruct(self.state.run.dataset, snapshot, ids)

    @param.depends("source", "count", "seed", "shown", watch=True)
    def _update(self, *_) -> None:
        if self.shown:
            self._show()

    def _show(self) -> None:
        splits = {label: name for label, name in SPLITS.items() if len(self.state.run.dataset.split(name))}
        options = {"selected": "selected", **splits}
        if self._switch.options != options:
            if self.source not in options.values():
                self.source = "selected"
            self._switch.param.update(options=options, value=self.source)
        self._count.visible = self._others.visible = self.source != "selected"
        pairs = self._pairs()
        self._tiles.show(pairs.picture, len(pairs.ids), len(ROWS), self._words(pairs))
        self._title.object = headline(self.title, self._hint())

    def _words(self, pairs: Pairs) -> list[Word]:
        """Return names of the rows at the left, labels above, and costs below each example."""
        names = [Word(0, len(ROWS) - 0.5 - row, "left", name) for row, name in enumerate(ROWS)]
        labels = [Word(i + 0.5, len(ROWS), "above", self._label(example)) for i, example in enumerate(pairs.ids)]
        costs = [
            Word(i + 0.5, 0, "below", f"{nats(reconstruction)}\n{nats(kl)}")
            for i, (reconstruction, kl) in enumerate(zip(pairs.reconstruction, pairs.kl, strict=True))
        ]
        return [*names, *labels, *costs, Word(0, 0, "left below", "rec., nats\nKL, nats")]

    def _label(self, example: int) -> str:
        dataset = self.state.run.dataset
        return f"#{example}" if dataset.labels is None else dataset.class_names[int(dataset.labels[example])]

    def _hint(self) -> str:
        shown = len(self.ids)
        if self.source != "selected":
            return f"{shown} of {len(self.state.run.dataset.split(self.source)):,}, at random"
        count = len(self.state.selection)
        if not count:
            return f"the first {shown} examples; lasso or box some in the latent plane"
        return f"{shown} of {count:,} selected" if count > shown else f"{count} selected"


def nats(value: float) -> str:
    """Return a cost in as many digits as a tile has room for."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"
