"""The folder of a saved run: a kill at any moment leaves the save before whole, and nothing is believed unread."""

import re
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch

from vaeviz.training.checkpoint import LARGEST_MANIFEST, METRICS, Checkpoint, Manifest
from vaeviz.training.files import SUFFIX, UNFINISHED, Entry, damaged, get_tensors, put, put_tensors
from vaeviz.training.history import Kept
from vaeviz.training.weights import misfit

MANIFEST = "run.json"
OURS = re.compile(
    rf"((state-\d+|splits|snapshots/\d+)-[0-9a-f]{{16}}{re.escape(SUFFIX)}|{MANIFEST})({UNFINISHED})?", re.ASCII
)
"""The files that are written here: no others are ever removed."""


class RunFolder:
    """A folder that holds the saves of one run, one save at a time.

    ``run.json`` names ``state-STEP-….safetensors`` (weights, optimizer, random streams, metrics),
    ``splits-….safetensors`` and ``snapshots/STEP-….safetensors`` with their sizes and checksums. The next save writes
    its own files beside them, then replaces ``run.json``, and only then removes what is no longer named.

    Parameters
    ----------
    path : Path
        One process at a time may write there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run: str | None = None
        self._state: Entry | None = None
        self._splits: Entry | None = None
        self._snapshots: dict[int, Entry] = {}

    @property
    def holds_run(self) -> bool:
        """Whether there is a save, whole or not."""
        return (self.path / MANIFEST).exists()

    def write(self, saved: Checkpoint) -> list[Kept]:
        """Save a run; return where its snapshots can be read.

        Raises
        ------
        OSError
            If it cannot be written, as on a full disk; the save before is whole then.
        ValueError
            If the folder holds another run.
        """
        if self._run is None and self.holds_run:
            there, other = read_folder(self.path)
            if other.id != saved.id:
                raise ValueError(f"{self.path} holds another run: choose another folder")
            self._state = there._state
        if self._splits is None or not self._has(self._splits):
            self._splits = put_tensors(self.path, "splits", saved.splits)
        for kept in saved.snapshots:
            if not self._has(self._snapshots.get(kept.step)):
                self._snapshots[kept.step] = put_tensors(self.path, f"snapshots/{kept.step}", kept.read())
        tensors = {**saved.state.tensors, METRICS: torch.from_numpy(saved.metrics)}
        state = put_tensors(self.path, f"state-{saved.state.step}", tensors)
        manifest = Manifest.of(self.path / MANIFEST, saved, state, self._splits, self._snapshots)
        try:
            put(self.path / MANIFEST, manifest.body())
        except BaseException:
            if state != self._state:  # many in a row would fill the disk for good
                (self.path / state.file).unlink(missing_ok=True)
            raise
        self._run, self._state = saved.id, state
        self._tidy({MANIFEST, state.file, self._splits.file, *(entry.file for entry in self._snapshots.values())})
        return [self._kept(kept.step, kept.epoch) for kept in saved.snapshots]

    def read(self) -> Checkpoint:
        """Read the save, every byte of it, and check it.

        Raises
        ------
        FileNotFoundError
            If there is none, or a file of it is missing.
        ValueError
            If it is damaged, was changed, or is of another version.
        """
        manifest = self._manifest()
        snapshots = manifest.snapshots
        self._state, self._splits = manifest.state, manifest.splits
        self._snapshots = {step: entry for step, _, entry in snapshots}
        saved = manifest.checkpoint(
            get_tensors(self.path, manifest.state),
            get_tensors(self.path, manifest.splits),
            [self._kept(step, epoch) for step, epoch, _ in snapshots],
        )
        for kept in saved.snapshots:
            if misfit(kept.read(), saved.state.weights) is not None:
                raise damaged(self.path / self._snapshots[kept.step].file, "its weights are not those of the model")
        self._run = saved.id
        return saved

    def kept(self) -> list[Kept]:
        """Return where the kept snapshots of the save are, without reading them.

        Raises
        ------
        FileNotFoundError, ValueError
            As `read` does of the manifest.
        """
        snapshots = self._manifest().snapshots
        self._snapshots = {step: entry for step, _, entry in snapshots}
        return [self._kept(step, epoch) for step, epoch, _ in snapshots]

    def _manifest(self) -> Manifest:
        path = self.path / MANIFEST
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path} is not there or no folder: give the folder of a saved run")
        if not path.is_file():
            raise FileNotFoundError(f"{self.path} holds no saved run, for it has no {MANIFEST}: give a run's folder")
        if path.stat().st_size > LARGEST_MANIFEST:
            raise damaged(path, f"it has more than {LARGEST_MANIFEST:,} bytes")
        return Manifest.parse(path, path.read_bytes())

    def _has(self, entry: Entry | None) -> bool:
        return entry is not None and (self.path / entry.file).is_file()

    def _kept(self, step: int, epoch: float) -> Kept:
        return Kept(step, epoch, partial(get_tensors, self.path, self._snapshots[step]))

    def _tidy(self, named: set[str]) -> None:
        """Remove what earlier saves, or saves that were cut off, have left."""
        for path in (*self.path.iterdir(), *(self.path / "snapshots").glob("*")):
            name = path.relative_to(self.path).as_posix()
            if OURS.fullmatch(name) and name not in named:
                with suppress(OSError):  # it will be tried again after the next save
                    path.unlink()


def read_folder(path: Path) -> tuple[RunFolder, Checkpoint]:
    """Read a run's folder; return it, to write the next saves, and the save."""
    folder = RunFolder(path)
    return folder, folder.read()
