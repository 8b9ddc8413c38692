"""The explorer on a run in a folder, from the terminal."""

import signal

from vaeviz.monitor.server import Server
from vaeviz.training import follow_run


def explore_folder(folder: str, port: int, address: str, *, show: bool = False) -> int:
    """Serve the explorer on a folder's run until Ctrl-C or SIGTERM; return the exit status.

    Raises
    ------
    FileNotFoundError, ValueError
        As `follow_run` does, or if the port can't be had.
    """
    run = follow_run(folder)
    server = Server(run, port, address)
    print(f"{run!r}\nThe explorer: {server.address} (Ctrl-C ends it)", flush=True)
    if show:
        server.show()
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.join()
    except KeyboardInterrupt:
        pass
    server.stop()
    return 0
