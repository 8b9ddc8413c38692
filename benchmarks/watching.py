"""What watching costs: examples/s of a training with no session, with one live session connected, and with four.

    python -m benchmarks.watching

The server and the training share one process, as in the app. A client is a websocket in a process of its own, not a
browser on the same cores: it receives everything that a browser would. Each window with some lies between two without
any, whose mean it is held against.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import panel as pn

import vaeviz as vz
from benchmarks.record import Figure, tell, write
from vaeviz.views.page import explorer_page
from vaeviz.views.runs import register_run

CLIENT = """
import asyncio, json, re, sys, urllib.request
from tornado.websocket import websocket_connect

async def watch(address, seconds):
    page = urllib.request.urlopen(address).read().decode()
    token = re.search(r'"token":"([^"]+)"', page)[1]
    socket = await websocket_connect(address.split("?")[0].replace("http", "ws") + "/ws", subprotocols=["bokeh", token])
    for _ in range(3):  # the server's greeting: header, metadata, content
        await socket.read_message()
    ready = {"kind": "MessageSent", "msg_type": "bokeh_event",
             "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}}}
    for part in ({"msgid": "1", "msgtype": "PATCH-DOC"}, {}, {"events": [ready]}):
        await socket.write_message(json.dumps(part))
    print("connected", flush=True)
    whole, end = False, asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        message = await asyncio.wait_for(socket.read_message(), left)
        if message is None:
            break
        if not whole and "Take home" in str(message):  # the last part of its page has come
            whole = True
            print("watching", flush=True)

asyncio.run(watch(sys.argv[1], float(sys.argv[2])))
"""


def speed(run: vz.TrainingRun, seconds: float) -> float:
    """Return the examples/s of a running training over so many seconds."""
    begun, step = time.perf_counter(), run.step
    time.sleep(seconds)
    return (run.step - step) * run.config.batch_size / (time.perf_counter() - begun)


@contextmanager
def connected(sessions: int, address: str, seconds: float) -> Iterator[None]:
    """Have so many more sessions live; each page has been made and sent when it begins."""
    clients = [
        subprocess.Popen([sys.executable, "-c", CLIENT, address, str(seconds)], stdout=subprocess.PIPE, text=True)
        for _ in range(sessions)
    ]
    try:
        for client in clients:
            for line in ("connected", "watching"):
                assert client.stdout.readline().strip() == line, "the client has gone"
        yield
    finally:
        for client in clients:
            client.kill()
            client.wait()
            client.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="length of a window")
    parser.add_argument("--turns", type=int, default=5, help="windows of each kind")
    parser.add_argument("--quick", action="store_true", help="one window of a second of each: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.turns = 1, 2
    data = vz.load_dataset("mnist-5k")
    run = register_run(vz.TrainingRun(vz.DenseVAE(data.image_shape), data, vz.TrainConfig(steps=10**7)))

    def page() -> pn.viewable.Viewable:
        return explorer_page(run.id)

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    server = pn.serve({"/explorer": page}, port=port, threaded=True, show=False, verbose=False)
    run.start()
    speed(run, 5)  # past the start
    address = f"http://localhost:{port}/explorer?run={run.id}"
    kept: dict[int, list[float]] = {1: [], 4: []}
    before = speed(run, options.seconds)
    for _ in range(options.turns):
        present, watched = 0, {}
        with ExitStack() as crowd:
            for sessions in kept:
                crowd.enter_context(connected(sessions - present, address, 2 * options.seconds + 120))
                present = sessions
                watched[sessions] = speed(run, options.seconds)
        after = speed(run, options.seconds)
        alone = (before + after) / 2
        for sessions, ratios in kept.items():
            ratios.append(watched[sessions] / alone)
            print(
                f"alone {alone:7,.0f}   {sessions} watch {watched[sessions]:7,.0f} examples/s   kept {ratios[-1]:.1%}"
            )
        before = after
    figures = [
        Figure(
            f"examples/s kept with {sessions} live session{'s' * (sessions > 1)}", 100 * statistics.median(ratios), "%",
            target, at_least=True, spread=f"median of {len(ratios)}; {min(ratios):.0%} to {max(ratios):.0%}",
        ) for (sessions, ratios), target in zip(kept.items(), (90, 85), strict=True)
    ]  # fmt: skip
    figures.append(Figure("snapshots, share of training time", 100 * run.snapshot_share, "%", 5))
    tell(figures)
    if options.json:
        write(figures, options.json)
    run.stop()
    server.stop()


if __name__ == "__main__":
    main()
