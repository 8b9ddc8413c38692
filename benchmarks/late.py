"""How fast a training of a network of ReLUs still is after many steps, beside one that begins.

Where a ReLU stays closed there is no gradient any more, and Adam's mean of it falls at each step, until it is denormal:
a number so small that a CPU takes a hundred times as long for it. Two trainings of each contestant, one of them so many
steps ahead, take short turns (A B A B …); a ratio is the median of those of the rounds.

    python -m benchmarks.late
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import torch
from torch import nn

import vaeviz as vz
from benchmarks.record import Figure, tell, write
from benchmarks.training import NAMES, Network, examples, vaeviz

CONTESTANTS = {"vaeviz": vaeviz, NAMES["examples"]: examples}


def seconds(turn: Callable[[int], None], steps: int) -> float:
    begun = time.perf_counter()
    turn(steps)
    return time.perf_counter() - begun


def main() -> None:
    options = parse()
    network, batch, before = Network((500, 500), 2, nn.ReLU), 128, options.before
    if options.quick:
        network, batch, before, options.steps, options.rounds = Network((8,), 2, nn.ReLU), 16, 2, 2, 2
    data = vz.load_dataset("mnist-5k", validation=0)
    figures = []
    for name, make in CONTESTANTS.items():
        torch.manual_seed(0)
        late, early = (make(network, batch, data.images[data.train], "cpu") for _ in range(2))
        late.turn(before)
        early.turn(options.steps)  # warms up
        ratios = [seconds(early.turn, options.steps) / seconds(late.turn, options.steps) for _ in range(options.rounds)]
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        what = f"examples/s after {before:,} steps beside the first, ReLU, {network}, batch {batch}: {name}"
        target = 0.95 if name == "vaeviz" else None
        spread = f"{low:.2f} to {high:.2f} in the middle half of the turns"
        figures.append(Figure(what, middle, "×", target, at_least=True, spread=spread))
    tell(figures)
    if options.json:
        write(figures, options.json)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=int, default=1200, help="steps that the late one is ahead")
    parser.add_argument("--steps", type=int, default=15, help="optimizer steps in one turn")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each")
    parser.add_argument("--quick", action="store_true", help="a few steps of something small: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
