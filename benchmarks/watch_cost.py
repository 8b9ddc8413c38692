"""What `monitor.log` costs a loop of somebody else's with nobody connected: the same loop with it and without.

One process, one run, turns of so many steps each: the network of the PyTorch examples' VAE (784-400-20), batch 128,
Adam, over a resident tensor, which is the fastest such loop and so the hardest to please. Each watched turn begins with
a new monitor, so that it pays for the densest part of the timeline too.

    python -m benchmarks.watch_cost
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

import vaeviz as vz
from benchmarks.record import Figure, tell, write

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from pytorch_vae import VAE, losses


def turn(data: vz.Dataset, steps: int, *, watched: bool) -> float:
    """Return the seconds that so many steps take."""
    torch.manual_seed(0)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images = data.pixels(torch.arange(len(data)))
    monitor = vz.watch(model, data) if watched else None
    order = torch.randint(len(data), (steps, 128))
    start = time.perf_counter()
    for step, ids in enumerate(order, start=1):
        x = images[ids]
        recon_x, mu, logvar = model(x)
        bce, kld = losses(recon_x, x, mu, logvar)
        optimizer.zero_grad()
        (bce + kld).backward()
        optimizer.step()
        if monitor is not None:
            monitor.log(step, reconstruction=bce / len(x), kl=kld / len(x))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="of a turn")
    parser.add_argument("--turns", type=int, default=8, help="of each kind")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    data = vz.load_dataset("mnist-5k")
    turn(data, 50, watched=True)  # warms up
    alone, watched = [], []
    for _ in range(options.turns):
        alone.append(turn(data, options.steps, watched=False))
        watched.append(turn(data, options.steps, watched=True))
    ratios = sorted(b / a - 1 for a, b in zip(alone, watched, strict=True))
    print(f"{torch.get_num_threads()} threads, {options.turns} turns of {options.steps} steps of each kind")
    print(f"alone    {statistics.median(alone) / options.steps * 1e3:.3f} ms a step")
    print(f"watched  {statistics.median(watched) / options.steps * 1e3:.3f} ms a step")
    spread = f"median of {len(ratios)} pairs; {ratios[0]:.1%} to {ratios[-1]:.1%}"
    what = "`monitor.log` in somebody else's loop, nobody connected"
    figures = [Figure(what, 100 * statistics.median(ratios), "%", 3, spread=spread)]
    tell(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
