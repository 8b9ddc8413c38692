"""What a server's process holds, told on request: the script that `panel serve --setup` runs in it."""

import ctypes
import gc
import json
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import torch
from bokeh.document import Document

from vaeviz import Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.views.explorer import Explorer
from vaeviz.views.runs import find_run, register_run
from vaeviz.views.state import ExplorerState

FOREVER = 10**9


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


def film() -> None:
    """Begin with a long film, as a click on the page that is open would."""
    (page,) = (each for each in gc.get_objects() if isinstance(each, Explorer))

    def press() -> None:
        page.state.route, page.state.walk_frames = "walk", 900
        page.interpolation.film._on_save("gif")

    page.state.schedule(press)


def is_whole() -> bool:
    """Tell whether the page that is open has all its parts."""
    return any(each.furnished for each in gc.get_objects() if isinstance(each, Explorer))


def filming() -> str:
    """Tell how far the film of the page that is open is: "34 %"."""
    (page,) = (each for each in gc.get_objects() if isinstance(each, Explorer))
    return page.interpolation.film._buttons["gif"].label


def census() -> dict[str, float]:
    """Count what is alive, after what is dead was let go of; memory in MB, without what malloc keeps for later.

    Memory that was free again may stay with the process, where live blocks lie beside it; `blocks`, the number of
    Python's live pieces of memory, tells of what is held only.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    counted = Counter(map(type, gc.get_objects()))
    process = psutil.Process()
    threads = [thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]  # a pool
    return {
        "documents": counted[Document], "states": counted[ExplorerState], "explorers": counted[Explorer],
        "threads": len(threads), "files": process.num_fds(), "memory": process.memory_info().rss / 1e6,
        "blocks": sys.getallocatedblocks(),
    }  # fmt: skip


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
    threading.Thread(target=_answer, daemon=True).start()
