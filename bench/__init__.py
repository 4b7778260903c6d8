"""Measurements of the hub's hot paths; never part of the tests. Run: make bench [ONLY=walk]."""
