"""A run of any size to look at: real digits, many times over, a little apart; and a log of as many rows as one likes.

    python -m benchmarks.large 1000000 --rows 1000000

serves it and prints the address.
"""

import argparse

import numpy as np
import torch

from vaeviz import Dataset, Metrics, Snapshot, load_pretrained
from vaeviz.latent import Embedding
from vaeviz.training.events import Status
from vaeviz.training.history import MetricsLog
from vaeviz.views.page import run_server

APART = 2.0
"""Standard deviations of its posterior by which a code lies beside that of the digit it was made from."""

STEPS = 4
"""Kept steps."""


class LargeRun:
    """A finished run with so many embedded examples, and so many rows in its log.

    Parameters
    ----------
    points : int
        Examples, all embedded. Their images are those of the 5,000 digits; their codes differ.
    rows : int
        Of the log.
    """

    status: Status = "finished"
    error = None

    def __init__(self, points: int, rows: int = 100) -> None:
        of = load_pretrained("mnist-2d")
        rng = np.random.default_rng(0)
        digits = rng.integers(0, len(of.dataset), points)
        ids = torch.from_numpy(digits)
        order = torch.arange(points)
        self.dataset = Dataset(
            name=f"{points:,} digits",
            images=of.dataset.images[ids],
            labels=of.dataset.labels[ids],
            class_names=of.dataset.class_names,
            train=order[points // 5 :],
            validation=order[: points // 10],
            test=order[points // 10 : points // 5],
        )
        self.steps = of.steps[-1 :: -(len(of.steps) // STEPS)][::-1]
        row_of = np.argsort(of.snapshot().ids)  # all of the digits are embedded
        apart = rng.normal(0, APART, (points, 2)).astype(np.float32)
        self._snapshots = {}
        for step in self.steps:
            small = of.snapshot(step)
            mu, logvar = small.mu[row_of[digits]], small.logvar[row_of[digits]]
            mu += np.exp(0.5 * logvar) * apart
            snapshot = Snapshot(
                step=step,
                epoch=small.epoch,
                ids=order.numpy(),
                weights=small.weights,
                make=small.make,
                images=self.dataset.images,
            )
            snapshot.__dict__["embedding"] = Embedding(mu, logvar)  # where cached_property has it
            self._snapshots[step] = snapshot
        self._log = log_of(rows)

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows from the cursor on, and the cursor for the next call."""
        return self._log.since(cursor)

    def metrics_table(self, cursor: int, most: int) -> tuple[np.ndarray, int]:
        """Return at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        return self._log.table(cursor, most)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot, or that of a kept step."""
        return self._snapshots[self.steps[-1] if step is None else step]


def log_of(rows: int) -> MetricsLog:
    """Return a log of so many rows: a loss that falls, with noise, and every hundredth row of the validation split."""
    step = np.arange(1.0, rows + 1)
    kl = 7 - 5 / np.sqrt(step)
    reconstruction = 135 + 400 / np.sqrt(step) + np.random.default_rng(0).normal(0, 3, rows)
    values = np.stack((step, step / 1000, step % 100 == 0, reconstruction + kl, reconstruction, kl, step / 500), axis=1)
    return MetricsLog(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=int, help="embedded examples")
    parser.add_argument("--rows", type=int, default=100, help="of the log")
    options = parser.parse_args()
    server = run_server(LargeRun(options.points, options.rows), 0, "localhost")
    print(f"running at: http://localhost:{server.port}/", flush=True)
    server.run_until_shutdown()


if __name__ == "__main__":
    main()
