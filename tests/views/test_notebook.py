"""In whose thread a notebook's page is listened to."""

import asyncio
import threading

import pytest

from vaeviz.views.notebook import in_loop


def test_what_comes_in_another_thread_is_done_in_the_loop_and_in_order():
    seen: list[tuple[int, threading.Thread]] = []

    async def listen() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def take(number: int) -> None:
            seen.append((number, threading.current_thread()))
            if number == 2:
                done.set()

        async def subshell() -> None:
            for number in range(3):
                in_loop(loop, take, number)

        await asyncio.to_thread(asyncio.run, subshell())
        await asyncio.wait_for(done.wait(), 10)

    asyncio.run(listen())
    assert seen == [(number, threading.main_thread()) for number in range(3)]


@pytest.mark.parametrize("known", [True, False])
def test_in_the_loop_itself_or_without_one_it_is_done_at_once(known: bool):
    seen: list[int] = []

    async def listen() -> None:
        in_loop(asyncio.get_running_loop() if known else None, seen.append, 1)
        assert seen == [1]

    asyncio.run(listen())
