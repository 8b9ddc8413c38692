"""How torch's threads wait, as its libgomp tells it; each time in a process that has just begun."""

import json
import os
import re
import subprocess
import sys

import pytest

from vaeviz.openmp import BRIEFLY, _brings_libgomp

pytestmark = pytest.mark.skipif(not _brings_libgomp(), reason="this torch has no libgomp of its own")

TELL = "import json, os, vaeviz, torch; torch.ones(2) @ torch.ones(2); print(json.dumps(dict(os.environ)))"


@pytest.mark.parametrize(
    ("first", "chosen", "spins", "policy"),
    [
        ("", {}, "1000", "ACTIVE"),
        ("", {"GOMP_SPINCOUNT": "7"}, "7", "PASSIVE"),
        ("", {"OMP_WAIT_POLICY": "passive"}, "0", "PASSIVE"),
        ("import torch", {}, "300000", "PASSIVE"),
    ],
)
def test_threads_wait_briefly_unless_somebody_has_chosen_before(first, chosen, spins, policy):
    environment = {name: value for name, value in os.environ.items() if name not in BRIEFLY} | chosen
    told = subprocess.run(
        [sys.executable, "-c", f"{first}\n{TELL}"],
        env=environment | {"OMP_DISPLAY_ENV": "verbose"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert re.search(r"GOMP_SPINCOUNT = '(\w+)'", told.stderr)[1] == spins
    assert re.search(r"OMP_WAIT_POLICY = '(\w+)'", told.stderr)[1] == policy
    assert {name: json.loads(told.stdout).get(name) for name in BRIEFLY} == {name: chosen.get(name) for name in BRIEFLY}
