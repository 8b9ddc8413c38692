"""Colours of the views: those of `vaeviz.palette`, which the exported figures share."""

from vaeviz.palette import CLASSES, GRAYS, INK, MARK, NUMBERS, TRAIN, VALIDATION, class_colors

__all__ = ["CLASSES", "GRAYS", "INK", "MARK", "NUMBERS", "TRAIN", "VALIDATION", "class_colors"]
