"""What a server's process holds, told on request: the script that `panel serve --setup` runs in it."""

import ctypes
import functools
import gc
import json
import re
import runpy
import sys
import threading
import traceback
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

import numpy as np
import psutil
import torch
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serialized
from bokeh.document import Document
from panel.io.document import hold

from tests.browser.driver import WARM_UP
from vaeviz import Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.views.connection import _sockets
from vaeviz.views.explorer import Explorer
from vaeviz.views.runs import find_run, register_run
from vaeviz.views.state import ExplorerState

FOREVER = 10**9
PATIENCE = 60.0


def register(kind: type) -> WeakSet:
    """Return the set of all objects of a class that are alive, from now on.

    `gc.get_objects` would tell the same and break what other threads do: a tuple that is being made while somebody else
    holds it can't be finished (a SystemError; it ended a training).
    """
    alive: WeakSet = WeakSet()
    make = kind.__init__

    @functools.wraps(make)
    def init(self: object, *arguments: object, **named: object) -> None:
        make(self, *arguments, **named)
        alive.add(self)

    kind.__init__ = init
    return alive


documents, states, explorers = (register(kind) for kind in (Document, ExplorerState, Explorer))


def data() -> Dataset:
    """Return the noise that the server trains on."""
    images = np.random.default_rng(0).integers(0, 256, (1000, 1, 16, 16), dtype=np.uint8)
    return Dataset.from_arrays(images, np.arange(1000) % 10, name="noise")


def train(folder: str | None = None, steps: int = FOREVER, start: bool = True) -> str:
    """Begin a training on one core, with steps long enough to leave the page's thread its turns; return its id."""
    torch.set_num_threads(1)
    model = DenseVAE(data().image_shape, hidden_sizes=(500,))
    run = TrainingRun(model, data(), TrainConfig(steps=steps, batch_size=400), folder=folder and Path(folder))
    register_run(run)
    if start:
        run.start()
    return run.id


def status(run_id: str) -> str | None:
    """Return where a run stands."""
    run = find_run(run_id)
    return None if run is None else run.status


def step(run_id: str) -> int:
    """Return how many steps a run has done."""
    return find_run(run_id).step


def stop(run_id: str) -> None:
    """Stop a run."""
    find_run(run_id).stop()


def pause(run_id: str) -> None:
    """Pause a run."""
    find_run(run_id).pause()


def open_pages() -> list[Explorer]:
    """Return what is on the pages that somebody is connected to: one more is made ahead."""
    return [page for page in list(explorers) if any(_sockets(page.state._document))]


def film() -> None:
    """Begin with a long film, as a click on the page that is open would."""
    (page,) = open_pages()

    def press() -> None:
        page.state.route, page.state.walk_frames = "walk", 900
        page.interpolation.film._on_save("gif")

    page.state.schedule(press)


def is_whole() -> bool:
    """Tell whether the pages that are open have all their parts."""
    pages = open_pages()
    return bool(pages) and all(page.furnished for page in pages)


def filming() -> str:
    """Tell how far the film of the page that is open is: "34 %"."""
    (page,) = open_pages()
    return page.interpolation.film._buttons["gif"].label


def behind() -> int:
    """Count the pages whose browsers have not taken yet what they were sent."""
    return sum(page.state.is_behind for page in open_pages())


def unsent() -> int:
    """Count the bytes that wait in this process for browsers to take them."""
    sockets = [socket for state in list(states) for socket in _sockets(state._document)]
    return sum(len(socket.ws_connection.stream._write_buffer) for socket in sockets)


def play() -> None:
    """Let a film go round and round on the pages whose browsers are behind, as a click before would."""
    for page in [page for page in open_pages() if page.state.is_behind]:
        page.state.schedule(lambda page=page: page.interpolation.param.update(playing=True))


class Heap(ctypes.Structure):
    """What glibc's `mallinfo2` tells."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in re.findall(r"\w+", "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost")
    ]


def held() -> float:
    """Return how much of what malloc gave out is in use, in MB, where the C library can tell; else nothing."""
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None) if sys.platform == "linux" else None
    if mallinfo is None:
        return 0.0
    mallinfo.restype = Heap
    heap = mallinfo()
    return (heap.uordblks + heap.hblkhd) / 1e6


def census() -> dict[str, float]:
    """Count what is alive, after what is dead was let go of; memory in MB.

    Memory that is free again may stay with the process, where live blocks lie beside it: how much depends on how many
    things happened to be done at the same moment. What is held only is told by `held`, for what came from malloc, and
    by `blocks`, the number of Python's own small pieces of memory.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    process = psutil.Process()
    threads = [thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]  # a pool
    return {
        "documents": len(documents), "states": len(states), "explorers": len(explorers),
        "threads": len(threads), "files": process.num_fds(), "memory": process.memory_info().rss / 1e6,
        "held": held(), "blocks": sys.getallocatedblocks(),
    }  # fmt: skip


def sessions() -> list[str]:
    """Return the ids of the sessions that this process holds."""
    gc.collect()
    contexts = (document.session_context for document in list(documents))
    return [context.id for context in contexts if context is not None]


def made_ahead() -> list[str]:
    """Return the ids of the sessions whose pages were made for whoever comes next: at most one."""
    return [ahead.session.id for ahead in ahead_handler._ahead.values()]


def prepared() -> list[str]:
    """Return the ids of those sessions of which what a browser is sent is ready."""
    return [ahead.session.id for ahead in ahead_handler._ahead.values() if ahead.html]


def prepared_and_fresh() -> list[str]:
    """Return what a browser would be sent of the page that was made ahead, as it is ready and as it would be now."""
    (ahead,) = ahead_handler._ahead.values()
    document = ahead.session.document

    def written(content: Serialized) -> str:
        text = serialize_json(content.content)
        for i, buffer in enumerate(content.buffers):  # their ids are new each time
            text = text.replace(f'"{buffer.id}"', f'"buffer {i} {hash(buffer.to_bytes())}"')
        return text

    return [written(content) for content in (document.to_json(), Document.to_json(document))]


def rename_ahead(title: str) -> None:
    """Change the title of the page that was made ahead, while Panel holds back what changes."""
    (ahead,) = ahead_handler._ahead.values()
    document = ahead.session.document

    def rename() -> None:
        with hold(document):
            document.title = title

    renamed = threading.Event()
    document.add_next_tick_callback(rename)
    document.add_next_tick_callback(renamed.set)
    assert renamed.wait(PATIENCE)


def set_ahead(**seconds: float) -> None:
    """Make pages ahead after another pause, say."""
    for name, value in seconds.items():
        setattr(ahead_handler, name, value)


def frozen() -> int:
    """Count what the collector no longer looks through."""
    return gc.get_freeze_count()


def _answer() -> None:
    for line in sys.stdin:
        question, arguments = json.loads(line)
        try:
            answer = {"answer": globals()[question](**arguments)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "panel_setup_module":
    ahead_handler = runpy.run_path(str(WARM_UP))["AheadHandler"]
    threading.Thread(target=_answer, daemon=True).start()
