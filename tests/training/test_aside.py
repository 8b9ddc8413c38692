import asyncio
import contextvars
import subprocess
import sys

import pytest

from vaeviz.training.aside import aside

WHO = contextvars.ContextVar("WHO", default="nobody")


def test_it_returns_and_raises_what_the_work_does_in_the_same_context():
    async def ask() -> None:
        WHO.set("me")
        assert await aside(lambda a, b: (a + b, WHO.get()), 1, 2) == (3, "me")
        with pytest.raises(ZeroDivisionError):
            await aside(lambda: 1 // 0)

    asyncio.run(ask())


def test_the_loop_goes_on_meanwhile_and_may_give_it_up():
    import threading

    go = threading.Event()

    async def ask() -> None:
        waiting = asyncio.create_task(aside(go.wait))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go.set()
        assert await aside(lambda: "another") == "another"

    asyncio.run(ask())


def test_a_process_ends_while_it_goes_on():
    code = """
import asyncio, threading
from vaeviz.training.aside import aside
async def main():
    task = asyncio.create_task(aside(threading.Event().wait))
    await asyncio.sleep(0)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
