"""All benchmarks, one after the other, each in a process of its own; their figures as one table and one file.

    python -m benchmarks                        # about a quarter of an hour on two cores; the same as `make bench`
    python -m benchmarks --only training touch  # the other figures in the file stay
    python -m benchmarks --quick                # little of each: do they work?
    python -m benchmarks --device cuda          # training on a GPU, alone

The test -ELBO needs the whole of MNIST (VAEVIZ_DATA_DIR, or downloaded) and is left out, in words, without it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.record import Figure, read, tell

ROOT = Path(__file__).parents[1]
WHOLE: dict[str, list[str]] = {
    "training": ["--rounds", "10", "--bf16"], "late": [], "elbo": [], "watching": ["--seconds", "5", "--turns", "6"],
    "watch_cost": ["--steps", "400"], "touch": ["--moves", "100"], "timeline": ["--turns", "40"], "loss_delay": [],
    "follow_delay": ["--seconds", "15"], "start": [], "scale": [],
}  # fmt: skip
"""The benchmarks whose figures stand in the table, and how long each is."""

ON_A_GPU = ["--networks", "500-500-2", "--bf16", "--steps", "100", "--rounds", "9"]
QUICK = ("training", "late", "watching", "touch", "timeline", "loss_delay", "start")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=tuple(WHOLE), help="some of them")
    parser.add_argument("--quick", action="store_true", help="little of each, to see that it works")
    parser.add_argument("--device", help="a GPU, as torch names it, on which to measure training and nothing else")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "bench.json", help="where the figures are written"
    )
    options = parser.parse_args()
    names = ("training",) if options.device else options.only or (QUICK if options.quick else tuple(WHOLE))
    figures: dict[str, list[Figure]] = {}
    failed: list[str] = []
    took: dict[str, float] = {}
    for name in names:
        words = ["--quick"] if options.quick else ON_A_GPU if options.device else WHOLE[name]
        if options.device:
            words = [*words, "--device", options.device]
        command = [sys.executable, "-m", f"benchmarks.{name}", *words]
        print(f"\n$ python -m benchmarks.{name} {' '.join(words)}", flush=True)
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures.json"
            done = subprocess.run([*command, "--json", str(file)], cwd=ROOT, check=False)
            if done.returncode == 0:
                figures[name] = read(file)
            else:
                failed.append(name)
        took[name] = time.perf_counter() - begun
    print()
    tell(figure for each in figures.values() for figure in each)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__,
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }  # fmt: skip
    if not options.only:
        machine["minutes"] = round(sum(took.values()) / 60, 1)
    if options.device:
        machine |= {"device": options.device, "gpu": torch.cuda.get_device_name(options.device)}
    rows = {name: [figure._asdict() for figure in each] for name, each in figures.items()}
    if options.only and options.json.exists():  # the others stay as they were
        before = json.loads(options.json.read_text())["figures"]
        rows = {name: (before | rows)[name] for name in WHOLE if name in before | rows}
    options.json.write_text(json.dumps({"machine": machine, "figures": rows}, indent=1, ensure_ascii=False))
    each = ", ".join(f"{name} {seconds:.0f}" for name, seconds in took.items())
    print(f"\nin {sum(took.values()) / 60:.1f} minutes (s: {each})")
    print(f"written: {options.json}" + (f"; without figures: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
