"""Runs out of memory for real, under a limit on the process: `python -m tests.faults.starved training|manifold`."""

import json
import resource
import sys

import psutil
import torch
from torch import nn

from tests.views.conftest import look
from vaeviz import VAE, Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.views import ExplorerState

ROOM = 600 * 2**20
"""Bytes that may still be taken."""


def starve() -> None:
    """Let the process take only so much more memory."""
    limit = psutil.Process().memory_info().vms + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def training() -> dict[str, object]:
    """Train with a batch that is too large, then with one that is not."""
    pixels = torch.randint(0, 256, (40_000, 1, 64, 64), dtype=torch.uint8)
    split = torch.arange(40_000).split([39_000, 500, 500])
    data = Dataset(name="noise", images=pixels, train=split[0], validation=split[1], test=split[2])
    model = DenseVAE(data.image_shape, (16,))
    large = TrainingRun(model, data, TrainConfig(steps=3, batch_size=39_000))
    small = TrainingRun(DenseVAE(data.image_shape, (16,)), data, TrainConfig(steps=3, batch_size=100))
    state = ExplorerState(large)
    starve()
    large.start()
    status = large.wait()
    look(state)
    small.start()
    return {
        "status": status, "error": large.error, "alert": state.alert, "shown": state.frame.snapshot.step,
        "afterwards": small.wait(),
    }  # fmt: skip


class Greedy(nn.Module):
    """A decoder that takes 40 MB for each code."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 64)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Decode codes (B, 2) into logits (B, 1, 8, 8)."""
        waste = torch.ones(len(z), 10 * 2**20)
        return self.layer(z).unflatten(1, (1, 8, 8)) + 0 * waste[:, :1, None, None]


def manifold() -> dict[str, object]:
    """Show a manifold of too many tiles, then of a few."""
    images = torch.randint(0, 256, (20, 8, 8), dtype=torch.uint8)
    model = VAE(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), Greedy(), 2)
    run = TrainingRun(model, Dataset.from_arrays(images, name="noise"), TrainConfig(steps=1, batch_size=2))
    state = ExplorerState(run, manifold_side=2)
    state._callback = object()  # as if a page looked at it
    starve()
    state.manifold_side = 100
    look(state)
    alert, side = state.alert, state.frame.side
    state.manifold_side = 3
    look(state)
    return {"alert": alert, "side": side, "afterwards": state.frame.side}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(json.dumps({"training": training, "manifold": manifold}[sys.argv[1]]()))
