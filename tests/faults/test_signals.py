"""A server that is asked to end, and how its trainings end with it."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.browser.driver import wait_until
from tests.faults.census import data
from tests.faults.server import PATIENCE, explorer, visit
from vaeviz.training import load_run

SECONDS = 5.0
"""Within which the server has ended."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_asked_to_end_saves_its_trainings_and_ends_well(tmp_path: Path, number: int):
    folders = [tmp_path / "run", tmp_path / "paused"]
    with explorer(tmp_path) as server:
        ids = [server.ask("train", folder=str(folder)) for folder in folders]
        server.ask("pause", run_id=ids[1])
        wait_until(lambda: server.ask("step", run_id=ids[0]) > 10, "some steps are done", PATIENCE)

        async def watched() -> float:
            async with visit(f"{server.address}?run={ids[0]}") as visitor:
                await visitor.read_messages(2)
                begun = time.monotonic()
                server.process.send_signal(number)
                await asyncio.to_thread(server.process.wait, PATIENCE)
                return time.monotonic() - begun

        seconds = asyncio.run(watched())
        assert server.process.returncode == 0, server.log.read_text()
    for run_id, folder in zip(ids, folders, strict=True):
        saved = load_run(folder, data())
        assert (saved.id, saved.status) == (run_id, "stopped")
        assert saved.step > 0
    assert "Traceback" not in server.log.read_text()
    assert seconds < SECONDS


def test_an_export_in_progress_keeps_no_server_from_ending_and_saving(tmp_path: Path):
    with explorer(tmp_path) as server:
        run = server.ask("train", folder=str(tmp_path / "run"))

        async def watched() -> float:
            async with visit(f"{server.address}?run={run}"):
                await asyncio.to_thread(wait_until, lambda: server.ask("is_whole"), "the page is whole", PATIENCE)
                await asyncio.to_thread(server.ask, "film")
                await asyncio.to_thread(
                    wait_until, lambda: server.ask("filming").endswith("%"), "the film is begun", PATIENCE
                )
                begun = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(server.process.wait, PATIENCE)
                return time.monotonic() - begun

        seconds = asyncio.run(watched())
        assert server.process.returncode == 0, server.log.read_text()
    assert load_run(tmp_path / "run", data()).status == "stopped"
    assert "Traceback" not in server.log.read_text()
    assert seconds < SECONDS
