import holoviews as hv
import numpy as np

import vaeviz.views  # noqa: F401  (sets the backend)
from vaeviz.views.palette import CLASSES, MARK, class_colors
from vaeviz.views.plots import picture_plot, scatter_plot


def test_a_gray_picture_has_fixed_limits_and_its_top_row_on_top():
    picture = np.zeros((4, 6, 1), np.uint8)
    picture[0] = 255
    plot = picture_plot(picture, (0, 0, 1, 1))
    assert isinstance(plot, hv.Image)
    assert plot.opts.get("style").kwargs["cmap"] == "gray"
    assert plot.range("brightness") == (0, 255)
    (image,) = hv.render(plot).renderers[0].data_source.data["image"]
    assert image[-1].tolist() == [255] * 6  # Bokeh draws the last row on top


def test_a_colour_picture_is_drawn_as_rgb():
    assert isinstance(picture_plot(np.zeros((4, 6, 3), np.uint8), (0, 0, 1, 1)), hv.RGB)


def test_the_scatter_has_z1_across_and_z2_up():
    points = np.array([[1.0, 2.0], [3.0, 4.0]])
    plot = scatter_plot(points, np.zeros(2), colors=CLASSES, limits=(0, 9))
    figure = hv.render(plot)
    glyph, data = figure.renderers[0].glyph, figure.renderers[0].data_source.data
    assert data[glyph.x].tolist() == [1, 3]
    assert data[glyph.y].tolist() == [2, 4]


def test_ten_classes_have_ten_colours_and_none_is_the_marks():
    assert len(set(class_colors(10))) == 10
    assert MARK not in CLASSES
    assert class_colors(12)[10:] == list(CLASSES[:2])
