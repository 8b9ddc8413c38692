"""The README's table of figures, made from what `python -m benchmarks` has written.

python -m benchmarks.readme build/bench.json     # keeps a copy of it in docs/: bench.json, or that of a GPU
"""

import argparse
import json
import re
from pathlib import Path

from benchmarks.record import Figure

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
KEPT = {name: ROOT / "docs" / name for name in ("bench.json", "bench-gpu.json")}


def between(record: dict) -> re.Pattern[str]:
    """Return what finds the place of a table in the README: that of a GPU has its own."""
    on = " of a GPU" * ("gpu" in record["machine"])
    return re.compile(
        rf"(?<=<!-- figures{on}: python -m benchmarks.readme -->\n).*?(?=<!-- end of figures{on} -->)", re.DOTALL
    )


def kept(record: dict) -> Path:
    """Return where a copy of what was written lies."""
    return KEPT["bench-gpu.json" if "gpu" in record["machine"] else "bench.json"]


def table(record: dict) -> str:
    """Return the table, and a line about the machine, of what was written."""
    lines = ["| what | target | measured | command |", "| --- | --- | --- | --- |"]
    machine = record["machine"]
    on = f" --device {machine['device']}" if "gpu" in machine else ""
    for name, rows in record["figures"].items():
        for row in rows:
            figure = Figure(**row)
            told = figure.told if figure.met is None else f"**{figure.told}**" + (": not met" * (not figure.met))
            spread = f" ({figure.spread})" if figure.spread else ""
            lines.append(f"| {figure.what} | {figure.aim} | {told}{spread} | `python -m benchmarks.{name}{on}` |")
    about = (
        f"{machine['cores']} shared cores, Python {machine['python']}, torch {machine['torch']}, {machine['at'][:10]}."
    )
    if "gpu" in machine:
        about = f"{machine['gpu']}, {about}"
    if "minutes" in machine:
        about += f" All in one run of {machine['minutes']:g} minutes."
    return "\n".join([*lines, "", about, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="what `python -m benchmarks` has written")
    record = json.loads(parser.parse_args().file.read_text())
    kept(record).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    README.write_text(between(record).sub(lambda _: table(record), README.read_text()))


if __name__ == "__main__":
    main()
