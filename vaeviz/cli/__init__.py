"""The terminal: ``python -m vaeviz train`` and ``python -m vaeviz explore``."""

from vaeviz.cli.main import main

__all__ = ["main"]
