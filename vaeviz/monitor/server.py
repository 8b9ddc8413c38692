"""The explorer of one run, served from a thread of its own inside of somebody else's program."""

import asyncio
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

from vaeviz.turns import short_turns

if TYPE_CHECKING:
    from vaeviz.training import Run


class Server:
    """A server that shows one run.

    Parameters
    ----------
    run : Run
    port : int
        0 for any that is free.
    address : str
        The interface to listen on.

    Raises
    ------
    ValueError
        If the port is taken, or can't be had.
    """

    def __init__(self, run: "Run", port: int, address: str) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 2**16:
            raise ValueError(f"port={port!r}: must be a whole number from 0 (any that is free) to {2**16 - 1}")
        try:
            socket.create_server((address, port)).close()
        except OSError as error:
            raise _refusal(port, address, error) from error
        answers: queue.Queue[Any] = queue.Queue(1)
        self._thread = threading.Thread(
            target=_work, args=(run, port, address, answers), name="vaeviz-server", daemon=True
        )
        self._thread.start()
        answer = answers.get()
        if isinstance(answer, BaseException):
            self._thread.join()
            raise _refusal(port, address, answer) from answer
        self._server = answer
        self.address = f"http://{address}:{answer.port}"

    def show(self) -> None:
        """Open a browser on it."""
        self._server.show("/")

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def stop(self) -> None:
        """End it; return when its thread has ended."""
        loop = self._server.io_loop
        loop.add_callback(_stop, self._server)
        self._thread.join(timeout=10)


def _refusal(port: int, address: str, why: BaseException) -> ValueError:
    return ValueError(f"port={port} on {address} can't be had ({why}): choose another, or 0 for any that is free")


def _work(run: "Run", port: int, address: str, answers: "queue.Queue[Any]") -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        from vaeviz.views.page import run_server  # only now: it takes a second or two

        server = run_server(run, port, address)
        server.start()
    except BaseException as error:  # for the one who waits
        answers.put(error)
        loop.close()
        return
    answers.put(server)
    with short_turns():
        server.io_loop.start()
    loop.close()


def _stop(server: Any) -> None:
    server.unlisten()
    server.stop()
    server.io_loop.stop()
