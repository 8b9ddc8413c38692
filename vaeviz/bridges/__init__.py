"""Callbacks that feed a `vaeviz.Monitor` from other libraries' trainers; each module needs its library."""
