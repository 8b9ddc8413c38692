"""The explorer that a training script of somebody else's serves from within."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.driver import ROOT, Window, wait_until

TRAINING = """
import sys
sys.path.insert(0, "examples")
import torch
import vaeviz as vz
from pytorch_vae import VAE, losses

data = vz.load_dataset("mnist-5k")
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
monitor = vz.watch(model, data)
monitor.serve()
step = 0
while True:
    for ids in data.train.split(128):
        x = data.pixels(ids)
        recon_x, mu, logvar = model(x)
        bce, kld = losses(recon_x, x, mu, logvar)
        optimizer.zero_grad()
        (bce + kld).backward()
        optimizer.step()
        step += 1
        monitor.log(step, reconstruction=bce / len(x), kl=kld / len(x))
    if sys.stdin in __import__("select").select([sys.stdin], [], [], 0)[0]:
        sys.stdin.readline()
        monitor.log(step - 1, loss=1.0)
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """Return a training script that runs, and the address that it printed."""
    log = tmp_path / "script.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", TRAINING],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
    found = wait_until(
        lambda: re.search(r"http://\S+", log.read_text()) or process.poll() is not None, "the script serves"
    )
    assert isinstance(found, re.Match), log.read_text()
    yield process, found[0]
    process.kill()
    process.communicate()


def test_a_script_is_watched_live_from_within(script: tuple[subprocess.Popen, str], new_window: Callable[[], Window]):
    process, address = script
    window = new_window().open(address)
    window.until_status("running")
    rows, points = len(window.column("loss", "train", "x")), window.column("latent", "examples", "horizontal")
    window.until(lambda: len(window.column("loss", "train", "x")) > rows + 3, "the loss curve grows")
    window.until(lambda: window.column("latent", "examples", "horizontal") != points, "the scatter moves")
    image = window.pixels("cursor", "decoded")
    window.hover("latent", 1.0, 1.0)
    window.until(lambda: window.pixels("cursor", "decoded") != image, "another image is decoded")
    assert not window.sees("Train")
    assert not window.sees("Reset")
    assert "VAE, 20-D (probabilities)" in window.status()
    process.stdin.write(b"wrong\n")
    process.stdin.flush()
    window.page.get_by_text(re.compile("the step goes backwards")).wait_for()
    step = window.step()
    window.until(lambda: window.step() > step, "the loop goes on")
