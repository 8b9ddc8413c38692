"""Tests of vaeviz."""
