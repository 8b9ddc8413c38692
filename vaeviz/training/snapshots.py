"""Snapshots of a model in training: which examples they embed, and how they are taken and made again."""

import copy
from collections.abc import Mapping

import torch
from jaxtyping import Int64
from torch import Tensor

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training.config import TrainConfig
from vaeviz.training.evaluation import finite_weights
from vaeviz.training.events import Snapshot
from vaeviz.training.room import check_embedded
from vaeviz.training.weights import misfit

COPIED = 256 * 2**20
"""Bytes of images, at most, that are copied to be embedded where that can be helped."""


class SnapshotTaker:
    """Copies a model's weights into snapshots that share one choice of examples.

    Where all examples of a large dataset are embedded, they are its own images in its own order, not a copy.

    Parameters
    ----------
    model : VAE
        The model, before training.
    dataset : Dataset
    config : TrainConfig
        Its `embedded` bounds the number of examples N.

    Raises
    ------
    ValueError
        If there is no memory for so many.
    """

    def __init__(self, model: VAE, dataset: Dataset, config: TrainConfig) -> None:
        self.template = copy.deepcopy(model).cpu().eval().requires_grad_(False)
        self._own = self.template.state_dict()
        is_own = config.embedded >= len(dataset) and dataset.images.nbytes > COPIED
        check_embedded(dataset, model.latent_dim, min(config.embedded, len(dataset)), copied=not is_own)
        if is_own:
            chosen, self.images = torch.arange(len(dataset)), dataset.images
        else:
            chosen = choose_embedded(dataset, config.embedded)
            self.images = dataset.images[chosen]
        self.ids = chosen.numpy()
        self.ids.setflags(write=False)

    def take(self, model: VAE, step: int, epoch: float) -> Snapshot:
        """Return a snapshot of the model as it is now.

        Raises
        ------
        TrainingDivergedError
            If a weight is not finite: what cannot be explored is not kept.
        """
        return self.restore(finite_weights(model, step), step, epoch)

    def restore(self, weights: Mapping[str, Tensor], step: int, epoch: float) -> Snapshot:
        """Return the snapshot that has these weights.

        Raises
        ------
        ValueError
            If they are not those of the model.
        """
        words = misfit(weights, self._own)
        if words is not None:
            raise ValueError(f"these are not the weights of the model that was given: {words}")
        ordered = {name: weights[name] for name in self._own}
        return Snapshot(step=step, epoch=epoch, ids=self.ids, weights=ordered, make=self._make, images=self.images)

    def _make(self, weights: Mapping[str, Tensor]) -> VAE:
        kept = {id(value): value for value in (*self.template.parameters(), *self.template.buffers())}
        vae = copy.deepcopy(self.template, kept)  # all but the weights, which are put in their places
        vae.load_state_dict(weights, assign=True)
        return vae.requires_grad_(False)


def choose_embedded(dataset: Dataset, most: int) -> Int64[Tensor, " N"]:
    """Choose at most so many examples: an equal share of each split, in the order validation, train, test.

    What a small split leaves of its share goes to the others; a split that is larger than its share is crossed in even
    strides, since it may be sorted.
    """
    splits = [dataset.validation, dataset.train, dataset.test]
    shares, left = [0, 0, 0], most
    for rank, place in enumerate(sorted(range(3), key=lambda place: len(splits[place]))):
        shares[place] = min(len(splits[place]), left // (3 - rank))
        left -= shares[place]
    return torch.cat(
        [ids[torch.arange(share) * len(ids) // max(share, 1)] for ids, share in zip(splits, shares, strict=True)]
    )
