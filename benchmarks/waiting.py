"""What a training in a thread gains by how torch's OpenMP threads wait (`vaeviz.openmp`).

    python -m benchmarks.waiting

In turns, each in a process of its own: vaeviz imported first, as in the app, and torch imported first, whose threads
then wait as libgomp's do. Before it starts the training, the main thread has computed something large, as a page has.
With --beside program another program takes one core, and with --beside training another training takes two.
"""

import argparse
import subprocess
import sys
from statistics import median

RUN = """
import time, torch, vaeviz as vz

data = vz.load_dataset("mnist-5k")
run = vz.TrainingRun(vz.DenseVAE(data.image_shape), data, vz.TrainConfig(steps=10**7))
torch.rand(1000, 1000) @ torch.rand(1000, 1000)
run.start()
while run.step < 20:
    time.sleep(0.01)
begun, step = time.perf_counter(), run.step
time.sleep({seconds})
print((run.step - step) * run.config.batch_size / (time.perf_counter() - begun))
run.stop()
"""

BESIDE = {"program": "while True: pass", "training": f"import vaeviz\n{RUN.format(seconds=10**6)}"}


def speed(first: str, seconds: float) -> float:
    """Return the examples/s of a training in a process that imports this first."""
    command = [sys.executable, "-c", f"import {first}\n{RUN.format(seconds=seconds)}"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="length of a turn")
    parser.add_argument("--turns", type=int, default=5, help="of each kind")
    parser.add_argument("--beside", choices=tuple(BESIDE), help="what else is done on the same cores")
    options = parser.parse_args()
    other = subprocess.Popen([sys.executable, "-c", BESIDE[options.beside]]) if options.beside else None
    ratios = []
    try:
        for _ in range(options.turns):
            ours, torchs = speed("vaeviz", options.seconds), speed("torch", options.seconds)
            ratios.append(ours / torchs)
            print(f"vaeviz first {ours:7,.0f}   torch first {torchs:7,.0f} examples/s   {ratios[-1]:.2f} ×", flush=True)
    finally:
        if other is not None:
            other.kill()
    print(f"median {median(ratios):.2f} ×, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
