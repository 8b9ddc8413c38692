import numpy as np

from vaeviz.views.pictures import glyph_picture, mosaic, to_bytes


def test_probabilities_become_bytes_over_the_whole_range():
    assert to_bytes(np.array([0.0, 0.5, 1.0])).tolist() == [0, 128, 255]


def test_a_mosaic_begins_at_the_top_left_and_goes_row_by_row():
    images = np.stack([np.full((1, 2, 3), i, np.uint8) for i in range(6)])
    picture = mosaic(images, 2, 3)
    assert picture.shape == (4, 9, 1)
    assert picture[::2, ::3, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_gray_picture_is_sent_as_bytes_bottom_row_first():
    picture = np.arange(6, dtype=np.uint8).reshape(3, 2, 1)
    sent = glyph_picture(picture)
    assert sent.dtype == np.uint8
    assert sent.tolist() == [[4, 5], [2, 3], [0, 1]]


def test_a_colour_picture_is_sent_as_opaque_rgba_bottom_row_first():
    picture = np.zeros((2, 1, 3), np.uint8)
    picture[0, 0] = 1, 2, 3
    sent = glyph_picture(picture)
    assert sent.dtype == np.uint32
    assert np.ascontiguousarray(sent[1]).view(np.uint8).tolist() == [1, 2, 3, 255]
