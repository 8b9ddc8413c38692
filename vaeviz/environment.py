"""Whole numbers that environment variables tell, each read in the same way."""

import os


def whole_number(variable: str, otherwise: int, least: int = 1) -> int:
    """Return the number that an environment variable tells, or another one where it tells nothing.

    Raises
    ------
    ValueError
        If it is no whole number of at least `least`.
    """
    told = os.environ.get(variable, "").strip() or str(otherwise)
    if not (told.isascii() and told.isdigit() and len(told) < 20 and int(told) >= least):
        raise ValueError(f"{variable}={told[:40]!r}: must be a whole number of at least {least}")
    return int(told)
