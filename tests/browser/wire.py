"""A wire between browser and server that can be cut, and mended."""

import socket
import threading
from contextlib import suppress


class Wire:
    """Forwards every connection from a port of its own to a server's; each in two threads.

    Parameters
    ----------
    port : int
        Of the server, on this machine.

    Attributes
    ----------
    port
        Where a browser connects.
    """

    def __init__(self, port: int) -> None:
        self._server = "localhost", port
        self._door = socket.create_server(("localhost", 0))
        self.port = self._door.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._whole = True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let no new one through."""
        self._whole = False
        for end in self._ends:
            _end(end)
        self._ends.clear()

    def mend(self) -> None:
        """Let new connections through again."""
        self._whole = True

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        _end(self._door)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(self._server)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while part := one.recv(2**16):
            other.sendall(part)
    _end(one)
    _end(other)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
