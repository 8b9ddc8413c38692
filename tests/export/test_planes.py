import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tests.export.conftest import make_dataset, make_run, sloping_run
from vaeviz import Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.export.planes import Planes
from vaeviz.palette import CLASSES


def shown(run, **options):
    snapshot = run.snapshot()
    planes = Planes(run.dataset, snapshot.vae.latent_dim, **options)
    planes.show(snapshot)
    return planes, planes.pixels()


def plane(planes, pixels, axes):
    """The pixels within the axes, without their frame."""
    height, width, _ = pixels.shape
    box = axes.get_position()
    rows = slice(round((1 - box.y1) * height) + 3, round((1 - box.y0) * height) - 3)
    return pixels[rows, round(box.x0 * width) + 3 : round(box.x1 * width) - 3].astype(int)


@pytest.mark.parametrize("manifold_range", ["u", "z"])
def test_the_manifold_grows_brighter_to_the_right_where_z1_makes_it_so(manifold_range):
    planes, pixels = shown(sloping_run(axis=0), what="manifold", side=5, manifold_range=manifold_range)
    image = plane(planes, pixels, planes._manifold)[..., 0]
    assert (np.diff(image.mean(0)) >= 0).all()
    assert image[:, -1].mean() > image[:, 0].mean() + 150
    assert np.ptp(image, axis=0).max() <= 1  # and is the same from top to bottom


def test_the_manifold_grows_brighter_upwards_where_z2_makes_it_so():
    planes, pixels = shown(sloping_run(axis=1), what="manifold", side=5)
    image = plane(planes, pixels, planes._manifold)[..., 0]
    assert (np.diff(image.mean(1)) <= 0).all()
    assert image[0].mean() > image[-1].mean() + 150


def test_an_rgb_manifold_keeps_its_colours():
    planes, pixels = shown(sloping_run(channels=3), what="manifold", side=5)
    image = plane(planes, pixels, planes._manifold)
    top_right, bottom_left, top_left = image[10, -10], image[-10, 10], image[10, 10]
    assert top_right[0] > 200
    assert top_right[2] > 200
    assert bottom_left[0] < 50
    assert bottom_left[2] < 50
    assert top_left[0] < 50 < 200 < top_left[2]


def test_the_axes_that_are_chosen_are_shown():
    planes, pixels = shown(sloping_run(latent_dim=4, axis=3), what="manifold", side=5, axes=(3, 1))
    image = plane(planes, pixels, planes._manifold)[..., 0]
    assert image[:, -1].mean() > image[:, 0].mean() + 150
    assert planes._manifold.get_xlabel().startswith("z4")
    assert planes._manifold.get_ylabel().startswith("z2")


def test_tiles_that_are_no_squares_keep_their_shape():
    planes, _ = shown(sloping_run(height=4, width=8), what="manifold", side=5)
    planes.figure.canvas.draw()
    box = planes._manifold.get_window_extent()
    assert box.width / box.height == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize(("first", "last", "across", "up"), [(255, 0, 3 / 4, 1 / 4), (0, 255, 1 / 4, 3 / 4)])
def test_a_point_of_the_scatter_lies_where_its_code_says_in_its_class_colour(first, last, across, up):
    images = np.full((20, 1, 6, 6), 128, np.uint8)
    images[:, 0, 0, 0], images[:, 0, -1, -1] = first, last  # z of ±2 within ±4
    dataset = Dataset.from_arrays(images, [1] * 20, class_names=["a", "b"])
    sloping = sloping_run()
    run = TrainingRun(sloping.model, dataset, TrainConfig(batch_size=4))
    planes, pixels = shown(run, what="scatter", limit=4)
    image = plane(planes, pixels, planes._scatter)
    color = 255 * np.array(to_rgb(CLASSES[1]))
    rows, columns = np.nonzero(np.abs(image - color).max(-1) < 30)
    assert len(rows) > 5
    assert columns.mean() / image.shape[1] == pytest.approx(across, abs=0.01)
    assert 1 - rows.mean() / image.shape[0] == pytest.approx(up, abs=0.01)


def test_points_of_the_second_frame_move_and_the_ranges_stand(run):
    planes = Planes(run.dataset, 2, what="both", side=3)
    planes.show(run.snapshot(0))
    before, ranges = planes._dots.get_offsets().copy(), (planes._scatter.get_xlim(), planes._manifold.get_ylim())
    planes.show(run.snapshot(6))
    assert not np.allclose(before, planes._dots.get_offsets())
    assert ranges == (planes._scatter.get_xlim(), planes._manifold.get_ylim())
    assert planes._title.get_text().startswith("step 6 · epoch ")


def test_a_figure_shown_twice_is_one_that_was_shown_once(run):
    reused, fresh = (Planes(run.dataset, 2, side=3, coordinates="u") for _ in range(2))
    reused.show(run.snapshot(0))
    reused.pixels()
    for planes in (reused, fresh):
        planes.show(run.snapshot(6))
    assert np.array_equal(reused.pixels(), fresh.pixels())


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [0, 30])
def test_any_run_can_be_drawn(latent_dim, channels, classes):
    dataset = make_dataset(channels, classes=classes, count=40)
    model = DenseVAE(dataset.image_shape, hidden_sizes=(4,), latent_dim=latent_dim)
    run = TrainingRun(model, dataset, TrainConfig(batch_size=8))
    for coordinates, color_by in (("z", "label"), ("u", "KL" if channels == 1 else "σ")):
        _, pixels = shown(run, side=2, coordinates=coordinates, color_by=color_by, theme="dark")
        assert pixels.shape[0] % 2 == pixels.shape[1] % 2 == 0


def test_the_default_picture_is_960_by_480():
    run = make_run(make_dataset(classes=0), steps=1)
    digits = Dataset.from_arrays(run.dataset.images.numpy(), np.arange(60) % 10)
    assert Planes(digits, 2).pixels().shape == (480, 960, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"what": "all"}, "what='all': must be 'scatter', 'manifold' or 'both'"),
        ({"color_by": "loss"}, "color_by='loss': must be"),
        ({"theme": "blue"}, "theme='blue': must be 'light' or 'dark'"),
        ({"limit": 0}, "limit=0: must be a finite number above 0"),
        ({"limit": float("nan")}, "limit=nan"),
        ({"side": 0}, "side=0: must be a whole number from 1 to 200"),
        ({"axes": (0, 2)}, r"axes=\(0, 2\): must be distinct"),
        ({"axes": (1, 1)}, r"axes=\(1, 1\): must be distinct"),
    ],
)
def test_what_cannot_be_drawn_is_told(run, options, words):
    with pytest.raises(ValueError, match=words):
        Planes(run.dataset, 2, **options)
