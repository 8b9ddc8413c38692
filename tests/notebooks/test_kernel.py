"""What a kernel does beside showing views."""

from urllib.request import urlopen

import pytest
from jupyter_client.manager import start_new_kernel

SERVE = """
import numpy as np, torch, vaeviz as vz

model = torch.nn.Module()
model.encoder, model.decoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 6)), torch.nn.Linear(3, 24)
monitor = vz.watch(model, np.random.default_rng(0).random((40, 4, 6), np.float32))
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client", "ignore::DeprecationWarning:zmq")
def test_a_kernel_that_is_restarted_while_it_serves_gives_its_port_back():
    manager, client = start_new_kernel(kernel_name="python3")

    def told(code: str) -> str:
        texts: list[str] = []
        reply = client.execute_interactive(
            code, timeout=60, output_hook=lambda message: texts.append(message["content"].get("text", ""))
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(texts)

    try:
        address = told(f"{SERVE}monitor.serve()").partition("vaeviz: ")[2].strip()
        assert "vaeviz" in urlopen(address).read().decode()
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        with pytest.raises(OSError, match="refused"):
            urlopen(address)
        told(f"{SERVE}monitor.serve(port={address.rpartition(':')[2]})")
        assert "vaeviz" in urlopen(address).read().decode()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
