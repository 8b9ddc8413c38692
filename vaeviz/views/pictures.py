"""Images as plots want them: bytes, mosaics, and the two ways in which Bokeh draws a picture."""

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from vaeviz.latent import tile

GAP = 1
"""Pixels between the images of a strip."""


def to_bytes(probabilities: Float[np.ndarray, " *shape"]) -> UInt8[np.ndarray, " *shape"]:
    """Return values in [0, 1] as bytes in [0, 255]."""
    return (probabilities * 255 + 0.5).astype(np.uint8)


def mosaic(images: Shaped[np.ndarray, "M C H W"], rows: int, columns: int) -> UInt8[np.ndarray, "R S C"]:
    """Return images in [0, 1] or bytes, laid out row by row, the first row on top, as one picture of bytes."""
    return tile(images if images.dtype == np.uint8 else to_bytes(images), rows, columns)


def glyph_picture(picture: UInt8[np.ndarray, "R S C"]) -> Shaped[np.ndarray, "R S"]:
    """Return a picture as Bokeh's image glyphs take it: bottom row first, gray as bytes, RGB as packed RGBA."""
    flipped = picture[::-1]
    if picture.shape[-1] == 1:
        return np.ascontiguousarray(flipped[..., 0])
    rgba = np.full((*flipped.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = flipped
    return rgba.view(np.uint32)[..., 0]
