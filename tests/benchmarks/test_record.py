"""Figures are told, written and read again as they are; the README's table is that of the file beside it."""

import json

import pytest

from benchmarks.readme import KEPT, README, between, kept, table
from benchmarks.record import Figure, delays, read, tell, write


def test_figures_are_read_as_they_were_written(tmp_path):
    figures = [Figure("a", 1.5, "×", 2.0, at_least=True, spread="1 to 2"), Figure("b → c", 3.0, "ms")]
    write(figures, tmp_path / "figures.json")
    assert read(tmp_path / "figures.json") == figures


@pytest.mark.parametrize(
    ("value", "target", "at_least", "met"),
    [
        (2.0, 2.0, True, True),
        (1.99, 2.0, True, False),
        (60, 60, False, True),
        (61, 60, False, False),
        (1, None, False, None),
    ],
)
def test_a_target_is_met_or_not(value, target, at_least, met):
    assert Figure("x", value, "×", target, at_least=at_least).met is met


def test_delays_are_told_by_their_95th_percentile():
    figure = delays("x", range(101), 90)
    assert (figure.value, figure.met) == (95, False)
    assert figure.spread == "95 % of 101; median 50, worst 100"


def test_a_missed_target_is_told(capsys):
    tell([Figure("x", 3, "×", 2)])
    assert "target ≤ 2 ×: NOT MET" in capsys.readouterr().out


@pytest.mark.parametrize("file", KEPT.values(), ids=lambda file: file.stem)
def test_the_readme_has_the_table_of_the_figures_that_were_kept(file):
    record = json.loads(file.read_text())
    assert kept(record) == file
    (found,) = between(record).findall(README.read_text())
    assert found == table(record)
