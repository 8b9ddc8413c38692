"""A ``.csv`` file with one example a row: its pixels, and perhaps a label."""

import csv
import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from vaeviz.data.bounded import claimed_bytes
from vaeviz.data.examples import Examples

_LABELS = ("label", "class", "target", "y")


def read_csv(path: Path) -> Examples:
    """Read a table of square images.

    A column named label, class, target or y is the label; without such a name it is the first column, if the
    others are as many as a square has pixels (as in the MNIST tables). A first row of names is optional.

    Raises
    ------
    ValueError
        If the file is no table, if a pixel is no number, or if the pixels of a row make no square.
    """
    claimed_bytes((path.stat().st_size,), 1, path)
    has_names = _has_names(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it says that cells were dropped
            table = pd.read_csv(
                path,
                header=0 if has_names else None,
                index_col=False,
                low_memory=False,
                keep_default_na=False,
                na_values=[""],
                encoding="utf-8-sig",
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path} is no table with rows of one length: {_one_line(error)}.") from error
    if table.empty:
        raise ValueError(f"{path} holds no examples: give a table with one example a row.")

    label = _label_column(table)
    pixels = table if label is None else table.drop(columns=table.columns[label])
    if math.isqrt(pixels.shape[1]) ** 2 != pixels.shape[1]:
        raise ValueError(
            f"{path} has {pixels.shape[1]} columns of pixels, which is no perfect square: "
            "give square images, and name a column of labels 'label'."
        )
    _check_numbers(pixels, path, first_row=2 if has_names else 1)
    return Examples(pixels.to_numpy(), None if label is None else table.iloc[:, label].to_numpy())


def _has_names(path: Path) -> bool:
    """Whether the first row names the columns: it names the label, or most of its cells are no numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = next(csv.reader(file), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table of text: save it as UTF-8 with commas between the cells.") from error
    words = sum(not _is_number(cell) for cell in cells)
    return words > len(cells) / 2 or any(cell.strip().lower() in _LABELS for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_column(table: pd.DataFrame) -> int | None:
    names = [str(name).strip().lower() for name in table.columns]
    named = next((names.index(label) for label in _LABELS if label in names), None)
    if named is not None:
        return named
    pixels = len(names) - 1
    return 0 if pixels > 0 and math.isqrt(pixels) ** 2 == pixels else None


def _check_numbers(pixels: pd.DataFrame, path: Path, first_row: int) -> None:
    if all(kind.kind in "buif" for kind in pixels.dtypes.unique()) and not np.isnan(pixels.to_numpy()).any():
        return
    for name, column in pixels.items():
        numbers = column if pd.api.types.is_numeric_dtype(column) else pd.to_numeric(column, errors="coerce")
        missing = np.flatnonzero(numbers.isna())
        if len(missing):
            row = int(missing[0])
            cell = column.iloc[row]
            what = "no value" if pd.isna(cell) else f"{str(cell)[:40]!r}"
            where = f"column {name!r}" if isinstance(name, str) else f"column {int(str(name)) + 1}"
            raise ValueError(f"{path} has {what} in row {row + first_row}, {where}: pixels must be numbers.")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).removeprefix("Error tokenizing data. C error: ").split()).rstrip(".")
