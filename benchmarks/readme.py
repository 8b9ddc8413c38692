"""The README's table of figures, made from what `python -m benchmarks` has written.

python -m benchmarks.readme build/bench.json     # keeps a copy of it in docs/bench.json
"""

import argparse
import json
import re
from pathlib import Path

from benchmarks.record import Figure

ROOT = Path(__file__).parents[1]
README, KEPT = ROOT / "README.md", ROOT / "docs" / "bench.json"
BETWEEN = re.compile(r"(?<=<!-- figures: python -m benchmarks.readme -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def table(record: dict) -> str:
    """Return the table, and a line about the machine, of what was written."""
    lines = ["| what | target | measured | command |", "| --- | --- | --- | --- |"]
    for name, rows in record["figures"].items():
        for row in rows:
            figure = Figure(**row)
            told = figure.told if figure.met is None else f"**{figure.told}**" + (": not met" * (not figure.met))
            spread = f" ({figure.spread})" if figure.spread else ""
            lines.append(f"| {figure.what} | {figure.aim} | {told}{spread} | `python -m benchmarks.{name}` |")
    machine = record["machine"]
    about = (
        f"{machine['cores']} shared cores, Python {machine['python']}, torch {machine['torch']}, {machine['at'][:10]}."
    )
    return "\n".join([*lines, "", about, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="what `python -m benchmarks` has written")
    record = json.loads(parser.parse_args().file.read_text())
    KEPT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    README.write_text(BETWEEN.sub(lambda _: table(record), README.read_text()))


if __name__ == "__main__":
    main()
