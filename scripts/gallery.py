"""Makes the pictures of docs/article.md, from the models that ship and from the training of one of them.

python -m scripts.gallery
python -m scripts.gallery --evolution runs/mnist-2d    # the film, from a run that `scripts.train_pretrained` saved
"""

import argparse
from pathlib import Path

import numpy as np

import vaeviz as vz
from tests.browser.driver import ROOT
from vaeviz.export import (
    export_animation,
    export_walk,
    interpolation_figure,
    loss_figure,
    planes_figure,
    reconstruction_figure,
    save_figure,
    traversal_figure,
)
from vaeviz.latent import polyline

IMAGES = ROOT / "docs" / "images"
FRAMES_A_LEG = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evolution", type=Path, help="folder of the saved run whose evolution is filmed")
    options = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    if options.evolution:
        print(export_animation(vz.load_run(options.evolution), IMAGES / "evolution.gif", limit=6, side=30))
        return
    flat, deep = vz.load_pretrained("mnist-2d"), vz.load_pretrained("mnist-50d")
    rows = one_of_each(flat)
    pictures = {
        "scatter": planes_figure(flat, what="scatter"),
        "manifold-linear": planes_figure(flat, what="manifold", manifold_range="z", limit=4),
        "manifold-inverse-cdf": planes_figure(flat, what="manifold", side=30),
        "side-by-side": planes_figure(flat, limit=4),
        "reconstructions": reconstruction_figure(flat, rows),
        "interpolation": interpolation_figure(deep, deep.snapshot().mu[one_of_each(deep)[[3, 8]]].astype(float)),
        "traversals": traversal_figure(deep),
        "loss": loss_figure(flat, log_steps=True),
    }
    for name, figure in pictures.items():
        print(save_figure(figure, IMAGES / f"{name}.png"))
    codes = deep.snapshot().mu[one_of_each(deep)[::-1]].astype(float)  # 9, 8, … 0, and back to 9
    morph = polyline(codes, FRAMES_A_LEG, loop=True)
    print(export_walk(deep.snapshot().vae, morph, IMAGES / "morph.gif", fps=15, back=False))


def one_of_each(run: vz.Run) -> np.ndarray:
    """Return, for each class in order, the row of its example nearest to the mean of its codes."""
    snapshot = run.snapshot()
    classes = run.dataset.labels[snapshot.ids.copy()].numpy()
    rows = []
    for number in range(len(run.dataset.class_names)):
        (here,) = np.nonzero(classes == number)
        mu = snapshot.mu[here]
        rows.append(here[np.argmin(((mu - mu.mean(0)) ** 2).sum(1))])
    return np.array(rows)


if __name__ == "__main__":
    main()
