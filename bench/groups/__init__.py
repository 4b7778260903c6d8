"""One file for each group of figures; each offers measure(size) -> list of Figure."""
