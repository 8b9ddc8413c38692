import csv
import io
import os

import numpy as np
import pytest

from tests.export.conftest import make_dataset, make_run
from vaeviz import Metrics, decode, examples_csv, examples_npz, metrics_csv
from vaeviz.latent import per_example_elbo


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_metrics_are_those_of_the_run_to_the_last_digit(run, tmp_path):
    metrics_csv(run, tmp_path / "metrics.csv")
    read_back = [
        Metrics(
            int(row["step"]), float(row["epoch"]), row["split"], *(float(row[name]) for name in Metrics._fields[3:])
        )
        for row in read((tmp_path / "metrics.csv").read_text(encoding="utf-8"))
    ]
    assert read_back == run.metrics_since(0)[0]
    assert len(read_back) > 1


def test_metrics_go_into_a_buffer_too(run, tmp_path):
    buffer = io.StringIO()
    metrics_csv(run, buffer)
    metrics_csv(run, tmp_path / "metrics.csv")
    assert buffer.getvalue() == (tmp_path / "metrics.csv").read_bytes().decode()


def test_chosen_examples_are_written_with_codes_and_costs(run):
    buffer = io.StringIO()
    examples_csv(run, [5, 0], buffer, step=3)
    rows, snapshot = read(buffer.getvalue()), run.snapshot(3)
    cost = per_example_elbo(snapshot.vae, snapshot.images[[5, 0]])
    assert [int(row["id"]) for row in rows] == snapshot.ids[[5, 0]].tolist()
    labels = run.dataset.labels.numpy()[snapshot.ids[[5, 0]]]
    assert [row["class"] for row in rows] == [run.dataset.class_names[label] for label in labels]
    assert [int(row["label"]) for row in rows] == labels.tolist()
    for place, row in enumerate(rows):
        assert np.float32([row["mu1"], row["mu2"]]).tolist() == snapshot.mu[[5, 0][place]].tolist()
        assert float(row["reconstruction"]) == pytest.approx(cost.reconstruction[place], rel=1e-6)
        assert float(row["kl"]) == pytest.approx(cost.kl[place].sum(), rel=1e-6)
        assert row["step"] == "3"


def test_arrays_of_examples_and_codes_are_read_unpickled(run, tmp_path):
    examples_npz(run, np.array([2, 7, 1]), tmp_path / "chosen.npz", codes=[[0.0, 1.0]])
    snapshot, rows = run.snapshot(), [2, 7, 1]
    with np.load(tmp_path / "chosen.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["ids"], snapshot.ids[rows])
        assert np.array_equal(arrays["images"], snapshot.images[rows].numpy())
        assert np.array_equal(arrays["mu"], snapshot.mu[rows])
        assert np.array_equal(arrays["logvar"], snapshot.logvar[rows])
        assert arrays["kl_nats"].shape == (3, 2)
        assert np.allclose(arrays["reconstructions"], decode(snapshot.vae, snapshot.mu[rows]), atol=1e-6)
        assert np.allclose(arrays["decoded"], decode(snapshot.vae, np.float32([[0, 1]])), atol=1e-6)
        names = np.array(run.dataset.class_names)[run.dataset.labels.numpy()[snapshot.ids[rows]]]
        assert arrays["class_names"].tolist() == names.tolist()
        assert arrays["step"] == snapshot.step
    assert os.listdir(tmp_path) == ["chosen.npz"]


def test_data_without_labels_have_no_such_columns():
    run = make_run(make_dataset(classes=0), latent_dim=3, steps=1)
    text, binary = io.StringIO(), io.BytesIO()
    examples_csv(run, [0], text)
    examples_npz(run, [0], binary)
    assert list(read(text.getvalue())[0]) == [
        "id", "mu1", "mu2", "mu3", "logvar1", "logvar2", "logvar3", "reconstruction", "kl", "kl1", "kl2", "kl3", "step",
    ]  # fmt: skip
    binary.seek(0)
    assert "labels" not in np.load(binary, allow_pickle=False)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], r"rows of shape \(0,\): must be a list of at least 1 row"),
        ([[1, 2]], r"rows of shape \(1, 2\)"),
        ([0.5], "rows of type float64: must be whole numbers"),
        ([0, 60], "there is no row 60; the snapshot's rows are 0 to 59"),
        ([-1], "there is no row -1"),
    ],
)
@pytest.mark.parametrize("write", [examples_csv, examples_npz])
def test_rows_that_are_none_are_told(run, tmp_path, rows, words, write):
    with pytest.raises(ValueError, match=words):
        write(run, rows, tmp_path / ("chosen" + (".csv" if write is examples_csv else ".npz")))
    assert os.listdir(tmp_path) == []


def test_wrong_places_are_told(run, tmp_path):
    with pytest.raises(ValueError, match=r"its suffix must be \.csv"):
        metrics_csv(run, tmp_path / "metrics.xlsx")
    with pytest.raises(ValueError, match=r"its suffix must be \.npz"):
        examples_npz(run, [0], tmp_path / "chosen.csv")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        metrics_csv(run, tmp_path / "nowhere" / "metrics.csv")
    with pytest.raises(ValueError, match="codes: row 0 is not finite"):
        examples_npz(run, [0], tmp_path / "chosen.npz", codes=[[np.inf, 0]])
    assert os.listdir(tmp_path) == []
