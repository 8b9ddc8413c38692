"""Scripts that make what the repository shows."""
