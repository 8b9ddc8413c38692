"""How well the default VAE models MNIST: minus the ELBO of the test images, in nats per example.

Trains 784-500-500-2 on the whole of MNIST (VAEVIZ_DATA_DIR, or downloaded) through a `TrainingRun`, as the explorer
does, and prints one line an epoch if validation images are held out, then the test figures: these are not looked at
before the end, and nothing is chosen by them within a run.

    python -m benchmarks.elbo --epochs 20 --schedule one-cycle --learning-rate 3e-3
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import get_args

import torch

import vaeviz as vz
from benchmarks.record import Figure, tell, write
from vaeviz.training.config import Schedule


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = vz.load_dataset("mnist", validation=options.validation)
    weights = torch.Generator().manual_seed(options.seed)
    model = vz.DenseVAE(data.image_shape, hidden_sizes=(500, 500), latent_dim=2, generator=weights)
    config = vz.TrainConfig(
        epochs=options.epochs,
        batch_size=128,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        seed=options.seed,
    )
    print(f"{data!r}\n{model.describe()}, {torch.get_num_threads()} threads\n{config}")

    run = vz.TrainingRun(model, data, config)
    run.start()
    if run.wait() != "finished":
        raise SystemExit(run.error)
    rows, _ = run.metrics_since(0)
    for row in rows:
        if row.split == "validation":
            print(f"epoch {row.epoch:4.0f}   validation {nats(row)}   {row.seconds:6.1f} s")
    seconds = rows[-1].seconds
    examples = options.epochs * len(data.train)
    print(f"trained {options.epochs} epochs in {seconds:.1f} s: {examples / seconds:,.0f} examples/s")
    print(f"test, one sample an image:    {nats(vz.evaluate(model, data, 'test', config))}")
    rows = samples(model, data, config, options.samples)
    loss, reconstruction, kl = means(rows)
    what = f"test -ELBO, whole grayscale MNIST, 784-500-500-2, {options.epochs} epochs, batch 128"
    told = f"reconstruction {reconstruction:.2f} + KL {kl:.2f}, {options.samples} samples an image; seed {options.seed}"
    figures = [Figure(what, loss, "nats", 144, spread=f"{told}, {options.schedule}, {options.learning_rate:g}")]
    tell(figures)
    if options.json:
        write(figures, options.json)


def samples(model: vz.VAE, data: vz.Dataset, config: vz.TrainConfig, count: int) -> list[vz.Metrics]:
    """Evaluate on the test images with so many different draws of the noise."""
    return [vz.evaluate(model, data, "test", replace(config, seed=config.seed + draw)) for draw in range(count)]


def means(rows: list[vz.Metrics]) -> tuple[float, float, float]:
    """Return the means of loss, reconstruction and KL."""
    loss, reconstruction, kl = (
        fmean(part) for part in zip(*((r.loss, r.reconstruction, r.kl) for r in rows), strict=True)
    )
    return loss, reconstruction, kl


def nats(row: vz.Metrics) -> str:
    """Write a row in words."""
    loss, reconstruction, kl = means([row])
    return f"-ELBO {loss:.2f} = reconstruction {reconstruction:.2f} + KL {kl:.2f} nats"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the shuffling and the noise")
    parser.add_argument("--schedule", choices=get_args(Schedule), default="one-cycle")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="with one-cycle, its peak")
    parser.add_argument("--validation", type=int, default=0, help="training images held out to validate on")
    parser.add_argument("--samples", type=int, default=10, help="posterior samples to average over at the end")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--threads", type=int, help="of torch; by default its own choice")
    return parser.parse_args()


if __name__ == "__main__":
    main()
