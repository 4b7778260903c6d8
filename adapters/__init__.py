"""Adapters: one package for each kind of feed; bytes to source records."""
