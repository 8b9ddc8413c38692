"""Colours: the same in every view and every exported figure, and safe for colour-blind people."""

import numpy as np

CLASSES = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
"""Ten categorical colours (Petroff 2021, "Accessible color sequences", arXiv:2107.02270); more classes repeat them."""

NUMBERS = (
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
"""Viridis, for what is measured: dark is little, light is much."""

TRAIN = "#3f90da"
VALIDATION = "#e76300"
MARK = "#e91e63"
"""Cursor, endpoints and path: one colour that no class has."""

INK = "#888888"
"""Words and outlines inside plots: readable on light and on dark."""

GRAYS = tuple(f"#{i:02x}{i:02x}{i:02x}" for i in range(256))


def class_colors(count: int) -> list[str]:
    """Return a colour for each of so many classes."""
    return [CLASSES[i] for i in np.arange(count) % len(CLASSES)]
