"""pyproject.toml, environment.yml and constraints.txt tell of one and the same set of packages."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

CONDA_NAMES = {"torch": "pytorch", "playwright": "playwright-python"}
"""Packages that conda-forge calls otherwise than PyPI; - and _, and upper and lower case, count as equal."""


FROM_PYPI = {"pythae"}
"""Packages, of the tests alone, that conda-forge does not have."""


def lines_of(file):
    return [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def by_name(requirements):
    parsed = [Requirement(line) for line in requirements]
    ranges = {canonicalize_name(each.name): each.specifier for each in parsed}
    assert len(ranges) == len(parsed), "a package is listed twice"
    return ranges


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PIP = by_name([*PROJECT["dependencies"], *EXTRAS["tests"], *EXTRAS["notebooks"]])
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PINS = by_name(lines_of("constraints.txt"))


def version_of(name):
    (pin,) = PINS[name]
    return pin.version


def test_conda_gets_the_same_packages_in_the_same_versions_as_pip():
    conda = by_name([*(line for line in CONDA["dependencies"] if isinstance(line, str)), *pip_lines()[1:]])
    python = conda.pop("python")
    assert python == PROJECT["requires-python"]
    assert conda.pop("pip") == ""
    assert conda == {CONDA_NAMES.get(name, name): versions for name, versions in PIP.items()}


def test_there_are_no_other_extras():
    assert set(EXTRAS) == {"tests", "notebooks"}


def pip_lines():
    (part,) = (line for line in CONDA["dependencies"] if not isinstance(line, str))
    return part["pip"]


def test_conda_installs_vaeviz_and_what_it_needs_from_conda_forge_alone():
    assert CONDA["name"] == "vaeviz"
    assert CONDA["channels"] == ["conda-forge"]
    assert pip_lines()[0] == "-e ."
    assert set(by_name(pip_lines()[1:])) == FROM_PYPI
    assert FROM_PYPI.isdisjoint(by_name(PROJECT["dependencies"]))


@pytest.mark.parametrize("name", PIP)
def test_every_dependency_is_pinned_within_its_range(name):
    assert version_of(name) in PIP[name]


@pytest.mark.parametrize("name", PINS)
def test_every_pin_is_one_version_that_any_platform_can_install(name):
    (pin,) = PINS[name]
    assert pin.operator == "=="
    assert "+" not in pin.version
    assert "*" not in pin.version


def test_torch_is_pinned_to_the_version_that_is_tested():
    assert version_of("torch") == "2.13.0"
