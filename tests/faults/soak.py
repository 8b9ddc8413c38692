"""A long time of training and watching: `make soak`, or `python -m tests.faults.soak --minutes 30`.

A training goes on while visitors come and go, one always stays and people start and stop other trainings. Each minute a
line tells of the server's memory, of what is alive in it, and of how long it takes to answer. At the end, the first
quarter is compared with the last.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.server import Server, explorer, visit

PERIOD = 60.0
MOST_MB = 100.0
"""By how much the median of the memory may differ between the first quarter and the last, in MB."""


async def latency(server: Server, run: str) -> tuple[float, float]:
    """Return how many seconds a new page takes, and then the next change in it."""
    begun = time.perf_counter()
    async with visit(f"{server.address}?run={run}") as visitor:
        opened = time.perf_counter()
        await visitor.read_messages(1)
        return opened - begun, time.perf_counter() - opened


async def stay(server: Server, run: str) -> None:
    """Watch until it is cancelled."""
    async with visit(f"{server.address}?run={run}") as visitor:
        while True:
            await visitor.read_messages(1)


async def soak(server: Server, folder: Path, minutes: float) -> list[dict[str, float]]:
    """Watch, come and go; return what was counted each minute."""
    run = await asyncio.to_thread(server.ask, "train", folder=str(folder / "run"))
    other = asyncio.create_task(stay(server, run))
    rows, end, number = [], time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        minute = time.monotonic() + min(PERIOD, 60 * minutes / 8)
        opened, changed = [], []
        while time.monotonic() < minute:
            number += 1
            for seconds, into in zip(await latency(server, run), (opened, changed), strict=True):
                into.append(seconds)
            short = await asyncio.to_thread(server.ask, "train", folder=str(folder / f"short {number}"), steps=20)
            await asyncio.to_thread(server.ask, "stop", run_id=short)
        counted = await asyncio.to_thread(server.ask, "census")
        counted |= {"page": statistics.median(opened), "change": statistics.median(changed), "visits": number}
        counted["step"] = await asyncio.to_thread(server.ask, "step", run_id=run)
        rows.append(counted)
        tell(" ".join(f"{name} {value:,.2f}" if name in ("page", "change") else f"{name} {value:,.0f}"
                      for name, value in counted.items()))  # fmt: skip
        if other.done():
            other.result()
    other.cancel()
    with suppress(asyncio.CancelledError):
        await other
    return rows


def tell(words: str) -> None:
    """Say it at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    """Soak; return 1 if memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lifetime = ("--unused-session-lifetime", "5000", "--check-unused-sessions", "500")
        with explorer(folder, *lifetime, environment={"VAEVIZ_RUNS_DIR": name}) as server:
            rows = asyncio.run(soak(server, folder, options.minutes))
    rows = rows[1:]  # in the first period is loaded what all share
    quarter = max(1, len(rows) // 4)
    first, last = rows[:quarter], rows[-quarter:]
    for what in ("memory", "documents", "threads", "files", "page", "change"):
        before, after = (statistics.median(row[what] for row in some) for some in (first, last))
        tell(f"{what}: {before:,.2f} in the first quarter, {after:,.2f} in the last")
    grown = statistics.median(row["memory"] for row in last) - statistics.median(row["memory"] for row in first)
    return int(grown > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())
