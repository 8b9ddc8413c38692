import io
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from tests.export.conftest import make_dataset, make_run, sloping_run
from vaeviz import save_figure
from vaeviz.export import (
    cursor_figure,
    interpolation_figure,
    loss_figure,
    planes_figure,
    reconstruction_figure,
    to_bytes,
    traversal_figure,
)

FIGURES = {
    "planes": lambda run, **options: planes_figure(run, side=3, **options),
    "loss": loss_figure,
    "interpolation": lambda run, **options: interpolation_figure(
        run, np.eye(2, run.snapshot().vae.latent_dim), **options
    ),
    "reconstruction": lambda run, **options: reconstruction_figure(run, [3, 1], **options),
    "traversal": traversal_figure,
    "cursor": lambda run, **options: cursor_figure(run, np.ones(run.snapshot().vae.latent_dim), **options),
}


@pytest.fixture(params=FIGURES)
def draw(request):
    return FIGURES[request.param]


def words_of(figure):
    root = ElementTree.fromstring(to_bytes(figure, "svg"))
    return [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


def picture_of(figure):
    (axes,) = figure.axes
    (image,) = axes.get_images()
    return np.asarray(image.get_array())


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_view_drawn_twice_gives_the_same_bytes(run, draw, form):
    assert to_bytes(draw(run), form) == to_bytes(draw(run), form)


def test_a_png_has_twice_the_pixels_of_the_figure(run, tmp_path, draw):
    figure = draw(run, theme="dark")
    with Image.open(save_figure(figure, tmp_path / "view.png")) as picture:
        assert picture.size == tuple(np.round(figure.get_size_inches() * 200))
        assert picture.convert("RGB").getpixel((1, 1)) == (22, 22, 22)


def test_words_of_an_svg_are_words(run, tmp_path):
    path = save_figure(loss_figure(run), tmp_path / "loss.svg")
    assert {"−ELBO (nats)", "optimizer step", "noise"} <= set(words_of(loss_figure(run)))
    assert b"<dc:date>" not in path.read_bytes()


def test_settings_of_matplotlib_are_as_before(run, draw):
    before = dict(mpl.rcParams)
    to_bytes(draw(run), "svg")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("channels", "latent_dim"), [(3, 1), (1, 5)])
def test_any_run_can_be_drawn(channels, latent_dim):
    run = make_run(make_dataset(channels, height=9, width=5, classes=0), latent_dim, steps=2)
    for name, draw in FIGURES.items():
        if name != "interpolation" or latent_dim > 1:
            assert to_bytes(draw(run), "png")


def test_figures_of_an_earlier_step_say_so(run):
    assert any(words.startswith("step 3 · epoch") for words in words_of(planes_figure(run, 3, side=2)))
    assert any(words.startswith("step 2 · epoch") for words in words_of(cursor_figure(run, [0, 0], step=2)))


def test_a_strip_goes_from_a_on_the_left_to_b_on_the_right():
    picture = picture_of(interpolation_figure(sloping_run(), [[-2, 0], [2, 0]], count=5))
    assert picture.shape == (6, 5 * 6)
    assert (np.diff(picture[0, ::6].astype(int)) > 0).all()


def test_reconstructions_stand_below_their_originals_in_the_order_of_the_rows():
    run = sloping_run()
    picture = picture_of(reconstruction_figure(run, [4, 2]))
    original = run.snapshot().images.numpy()[4, 0]
    assert np.array_equal(picture[:6, :6], original)
    again = np.round(255 / (1 + np.exp(-2 * run.snapshot().mu[[4, 2], 0])))
    assert np.abs(picture[6, [0, 6]].astype(float) - again).max() <= 1
    difference = np.abs(original.astype(float) - again[0])
    assert np.abs(picture[12:, :6] - difference).max() <= 1


def test_names_of_classes_are_no_formulas(run):
    labels = run.dataset.labels.numpy()[run.snapshot().ids]
    assert any(words == f"c${labels[3]}" for words in words_of(reconstruction_figure(run, [3])))


def test_a_traversal_has_a_row_for_each_dimension_the_most_telling_first():
    figure = traversal_figure(sloping_run(latent_dim=3, axis=1), count=5)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert [name[:2] for name in names[2:]] == ["z3"]
    assert "KL 0.00" in names[2]
    kl = [float(name.split("KL ")[1]) for name in names]
    assert kl == sorted(kl, reverse=True)
    picture = picture_of(figure)
    of_z2 = 6 * [name[:2] for name in names].index("z2")
    assert (np.diff(picture[of_z2, ::6].astype(int)) > 0).all()
    assert np.ptp(picture[12]) == 0


def test_the_cursor_is_beside_the_example_whose_code_is_nearest():
    run = sloping_run()
    snapshot = run.snapshot()
    picture = picture_of(cursor_figure(run, snapshot.mu[7] + 1e-4))
    assert np.array_equal(picture[:, 6:12], snapshot.images.numpy()[7, 0])


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda run: loss_figure(run, term="elbo"), "term='elbo'"),
        (lambda run: planes_figure(run, 5), "step=5: no snapshot"),
        (lambda run: reconstruction_figure(run, []), "at least 1 row"),
        (lambda run: interpolation_figure(run, [[0, 0]]), "codes: 1 given; at least 2"),
        (lambda run: cursor_figure(run, [0, np.nan]), "not finite"),
        (lambda run: traversal_figure(run, base=[0]), "codes have shape"),
        (lambda run: traversal_figure(run, count=0), "count=0"),
        (lambda run: traversal_figure(run, limit=-1), "limit=-1"),
        (lambda run: to_bytes(loss_figure(run), "pdf"), "form='pdf': must be 'png' or 'svg'"),
        (lambda run: loss_figure(sloping_run()), "no metrics yet"),
    ],
)
def test_what_cannot_be_drawn_is_told(run, draw, words):
    with pytest.raises(ValueError, match=words):
        draw(run)


def test_a_picture_is_png_or_svg(run, tmp_path):
    with pytest.raises(ValueError, match=r"its suffix must be \.png or \.svg"):
        save_figure(loss_figure(run), tmp_path / "loss.pdf")
    assert Image.open(io.BytesIO(to_bytes(loss_figure(run), "png"))).format == "PNG"
