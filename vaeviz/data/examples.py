"""What a file holds before it is checked and split."""

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Examples(NamedTuple):
    """Images and labels as they came, in a layout that `Dataset.from_arrays` reads."""

    images: NDArray[Any]
    labels: NDArray[Any] | None = None
    class_names: tuple[str, ...] | None = None
    own_test: int = 0
    """So many examples, the last ones, are a test split that the files bring with them."""
