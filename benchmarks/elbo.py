"""How well the default VAE models MNIST: minus the ELBO of the test images, in nats per example.

Trains 784-500-500-2 on the whole of MNIST (VAEVIZ_DATA_DIR, or downloaded) through a `TrainingRun`, as the explorer
does, and prints one line an epoch if validation images are held out, then the test figures: these are not looked at
before the end, and nothing is chosen by them within a run. Where the CPU has bf16, five epochs of it and of float32
are held beside each other.

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
from vaeviz.training.device import computes_bf16

EPOCHS_BESIDE = 5
"""After how many epochs bf16 is held beside float32."""

SAMPLES_BESIDE = 3
"""Posterior samples that are then averaged over: by the same noise, so that they differ by what was learned."""


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = vz.load_dataset("mnist", validation=options.validation)
    config = vz.TrainConfig(
        epochs=options.epochs,
        batch_size=128,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        seed=options.seed,
    )
    print(f"{data!r}\n{config}\n{torch.get_num_threads()} threads")
    loss, reconstruction, kl = trained_elbo(data, config, options.samples)
    what = f"test -ELBO, whole grayscale MNIST, 784-500-500-2, {options.epochs} epochs, batch 128"
    told = f"reconstruction {reconstruction:.2f} + KL {kl:.2f}, {options.samples} samples an image; seed {options.seed}"
    figures = [Figure(what, loss, "nats", 144, spread=f"{told}, {options.schedule}, {options.learning_rate:g}")]
    if computes_bf16(torch.device("cpu")):
        short = replace(config, epochs=EPOCHS_BESIDE)
        single, half = (
            trained_elbo(data, replace(short, precision=precision), SAMPLES_BESIDE)[0]
            for precision in ("float32", "bf16")
        )
        what = f"test -ELBO of bf16 beside float32's, the same network, {EPOCHS_BESIDE} epochs"
        figures.append(Figure(what, abs(half - single), "nats", 1, spread=f"{half:.2f} and {single:.2f}"))
    else:
        print("bf16 is left out: the CPU of this machine has none")
    tell(figures)
    if options.json:
        write(figures, options.json)


def trained_elbo(data: vz.Dataset, config: vz.TrainConfig, draws: int) -> tuple[float, float, float]:
    """Train the default VAE, and return minus the ELBO of the test images, its reconstruction cost and its KL."""
    weights = torch.Generator().manual_seed(config.seed)
    model = vz.DenseVAE(data.image_shape, hidden_sizes=(500, 500), latent_dim=2, generator=weights)
    print(f"{model.describe()}, {config.precision}")
    run = vz.TrainingRun(model, data, config)
    run.start()
    if run.wait() != "finished":
        raise SystemExit(run.error)
    rows, _ = run.metrics_since(0)
    for row in rows:
        if row.split == "validation":
            print(f"epoch {row.epoch:4.0f}   validation {nats(row)}   {row.seconds:6.1f} s")
    seconds = rows[-1].seconds
    examples = config.epochs * len(data.train)
    print(f"trained {config.epochs} epochs in {seconds:.1f} s: {examples / seconds:,.0f} examples/s")
    print(f"test, one sample an image:    {nats(vz.evaluate(model, data, 'test', config))}")
    return means(samples(model, data, config, draws))


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
