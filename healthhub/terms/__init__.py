"""Code systems and concept maps as data."""
