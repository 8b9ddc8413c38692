"""What watching costs: examples/s of a training with no session and with one live session connected.

    python -m benchmarks.watching

The server and the training share one process, as in the app. The client is a websocket in a process of its own, not a
browser on the same cores: it receives everything that a browser would. Windows with and without it alternate.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time

import panel as pn

import vaeviz as vz
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
    received, end = 0, asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            received += len(await asyncio.wait_for(socket.read_message(), left) or "")
        except TimeoutError:
            break
    print(received, flush=True)

asyncio.run(watch(sys.argv[1], float(sys.argv[2])))
"""


def speed(run: vz.TrainingRun, seconds: float) -> float:
    """Return the examples/s of a running training over so many seconds."""
    begun, step = time.perf_counter(), run.step
    time.sleep(seconds)
    return (run.step - step) * run.config.batch_size / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="length of a window")
    parser.add_argument("--turns", type=int, default=5, help="windows of each kind")
    options = parser.parse_args()
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
    ratios, alone, watched, received = [], [], [], []
    for _ in range(options.turns):
        alone.append(speed(run, options.seconds))
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, f"http://localhost:{port}/explorer?run={run.id}", str(options.seconds + 3)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        client.stdout.readline()
        time.sleep(1.5)  # its page has been made and sent
        watched.append(speed(run, options.seconds))
        received.append(int(client.communicate()[0]))
        ratios.append(watched[-1] / alone[-1])
        print(f"alone {alone[-1]:7,.0f}   watched {watched[-1]:7,.0f} examples/s   kept {ratios[-1]:.1%}   "
              f"{received[-1]:,} bytes received")  # fmt: skip
    kept, before = statistics.median(ratios), statistics.median(alone)
    print(f"median: one live session keeps {kept:.1%} of {before:,.0f} examples/s (target 90 %)")
    print(f"snapshots take {run.snapshot_share:.1%} of training time (target 5 %)")
    run.stop()
    server.stop()


if __name__ == "__main__":
    main()
