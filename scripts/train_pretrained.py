"""Trains the models that come with the package, `load_pretrained`'s, and writes them where it finds them.

Each trains on the whole of MNIST (VAEVIZ_DATA_DIR, or downloaded), of whose 60,000 training images 5,000 are held out
to validate on. The test images are looked at once, at the end, and nothing is chosen by them. A training that was
interrupted is carried on, and one that has ended is not done again: remove its folder in runs/ to begin anew.

    python -m scripts.train_pretrained mnist-2d
    python -m scripts.train_pretrained mnist-50d
"""

import argparse
import copy
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

import vaeviz as vz
from vaeviz.latent import decode, embed
from vaeviz.training.checkpoint import Architecture
from vaeviz.training.files import digest_of, put
from vaeviz.training.fingerprint import SPLIT_NAMES
from vaeviz.training.pretrained import (
    FOLDER,
    FORMAT,
    MANIFEST,
    PRETRAINED_NAMES,
    PretrainedRun,
    file_name,
    packed,
    unpacked,
)

SEED = 0
RECIPES: dict[str, dict[str, Any]] = {
    "mnist-2d": {"latent_dim": 2, "epochs": 30, "early": (64, 256, 512, 2048)},
    "mnist-50d": {"latent_dim": 50, "epochs": 20, "early": (256,)},
}
DRAWS = 10
"""Posterior samples an image of the test figures."""

ROWS = 300
"""At most about so many rows of training metrics are kept."""


def main() -> None:
    options = parse()
    recipe = RECIPES[options.name]
    data = vz.load_dataset("mnist")
    run = trained(data, options.runs / options.name, recipe["latent_dim"], options.epochs or recipe["epochs"])
    print(f"{run!r}, trained in {run.metrics_since(0)[0][-1].seconds:.0f} s")
    folder = options.into / options.name
    write(folder, run, recipe["early"])
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{json.dumps(PretrainedRun(options.name, data, folder).figures, indent=1)}")
    print(f"{folder}: {size:,} bytes")


def trained(data: vz.Dataset, folder: Path, latent_dim: int, epochs: int) -> vz.SavedRun:
    """Return the run of a folder, trained to its end."""
    if not (folder / "run.json").exists():
        weights = torch.Generator().manual_seed(SEED)
        model = vz.DenseVAE(data.image_shape, (500, 500), latent_dim, generator=weights)
        config = vz.TrainConfig(epochs=epochs, learning_rate=3e-3, schedule="one-cycle", seed=SEED)
        run = vz.TrainingRun(model, data, config, folder=folder)
    elif (saved := vz.load_run(folder, data)).status == "finished":
        return saved
    else:
        run = vz.resume_run(folder, data)
    run.start()
    if run.wait() != "finished":
        raise SystemExit(run.error)
    return vz.load_run(folder, data)


def write(folder: Path, run: vz.SavedRun, early: tuple[int, ...]) -> None:
    """Write the folder of a trained model."""
    shutil.rmtree(folder, ignore_errors=True)
    steps = sorted({*(step for step in early if step in run.steps), run.step})
    snapshots, rounding = [], {}
    for step in steps:
        kept = run.snapshot(step)
        tensors = packed(kept.weights, eight_bits=step < run.step)
        body = save(tensors)
        put(folder / file_name(step), body)
        snapshots.append({"step": step, "epoch": kept.epoch, "size": len(body), "blake2b": digest_of(body)})
        rounding[step] = changes(kept.vae, with_weights(kept.vae, unpacked(tensors)), run.dataset)
    architecture = Architecture.of(run.model)
    values = {
        "format": FORMAT,
        "vaeviz": vz.__version__,
        "torch": torch.__version__,
        "model": {"kind": architecture.kind, "config": architecture.config},
        "config": run.config.as_dict(),
        "dataset": {"name": run.dataset.name} | {name: len(run.dataset.split(name)) for name in SPLIT_NAMES},
        "figures": figures(run) | {"rounding": rounding},
        "snapshots": snapshots,
        "metrics": thinned(run),
    }
    put(folder / MANIFEST, (dumped(values) + "\n").encode())


def figures(run: vz.SavedRun) -> dict[str, Any]:
    """Measure what the package's model, and the one before its weights were rounded, make of the test images."""
    rounded = with_weights(run.model, unpacked(packed(run.model.state_dict(), eight_bits=False)))
    return {
        "seed": SEED,
        "train_seconds": round(run.metrics_since(0)[0][-1].seconds, 1),
        "machine": f"{run.checkpoint.state.device}, {os.cpu_count()} cores, {platform.machine()}",
        "draws": DRAWS,
        "test": nats(rounded, run),
        "test_before_rounding": nats(run.model, run),
    }


def nats(model: vz.VAE, run: vz.SavedRun) -> dict[str, float]:
    """Return minus the ELBO of the test images and its terms, in nats an image."""
    rows = [vz.evaluate(model, run.dataset, "test", replace(run.config, seed=SEED + draw)) for draw in range(DRAWS)]
    return {name: round(fmean(getattr(row, name) for row in rows), 3) for name in ("loss", "reconstruction", "kl")}


def changes(exact: vz.VAE, rounded: vz.VAE, data: vz.Dataset) -> dict[str, float]:
    """Return how far at most the rounding moves a posterior mean, and a pixel decoded from the prior (0 to 1)."""
    images = data.images[data.test]
    codes = np.random.default_rng(SEED).standard_normal((2000, exact.latent_dim)).astype(np.float32)
    pixel = np.abs(decode(exact, codes) - decode(rounded, codes))
    mu = np.abs(embed(exact, images).mu - embed(rounded, images).mu)
    return {"pixel": round(float(pixel.max()), 4), "mu": round(float(mu.max()), 4)}


def with_weights(model: vz.VAE, weights: Mapping[str, torch.Tensor]) -> vz.VAE:
    """Return a copy of a model that has these weights."""
    twin = copy.deepcopy(model)
    twin.load_state_dict(weights)
    return twin.eval()


def thinned(run: vz.SavedRun) -> list[list[Any]]:
    """Return the metrics, those of training averaged over stretches that are short in the beginning."""
    rows, _ = run.metrics_since(0)
    train = [row for row in rows if row.split == "train"]
    last = len(train)
    ends = np.unique(np.round(np.r_[np.geomspace(1, last, ROWS // 2), np.linspace(1, last, ROWS // 2)]).astype(int))
    epochs = np.array([row.epoch for row in train])
    examples = np.diff(epochs, prepend=0)  # of each row, as a part of the training split
    kept = []
    for start, end in zip((0, *ends), ends, strict=False):
        means = np.average([row[3:6] for row in train[start:end]], axis=0, weights=examples[start:end])
        kept.append(train[end - 1]._replace(loss=means[0], reconstruction=means[1], kl=means[2]))
    kept += [row for row in rows if row.split == "validation"]
    digits = vz.Metrics(0, 5, 0, 3, 3, 3, 2)  # type: ignore[arg-type]
    return [
        [
            value if isinstance(value, int | str) else round(float(value), n)
            for value, n in zip(row, digits, strict=True)
        ]
        for row in sorted(kept, key=lambda row: row.step)
    ]


def dumped(values: dict[str, Any]) -> str:
    """Return JSON that has a row of metrics a line."""
    rows = ",\n".join(f"  {json.dumps(row)}" for row in values["metrics"])
    head = json.dumps(values | {"metrics": []}, indent=1)
    return head.replace('"metrics": []', f'"metrics": [\n{rows}\n ]')


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=PRETRAINED_NAMES)
    parser.add_argument("--runs", type=Path, default=Path("runs/pretrained"), help="where the trainings are saved")
    parser.add_argument("--into", type=Path, default=FOLDER, help="where the models' folders are written")
    parser.add_argument("--epochs", type=int, help="other than the recipe's, to try the script")
    return parser.parse_args()


if __name__ == "__main__":
    main()
