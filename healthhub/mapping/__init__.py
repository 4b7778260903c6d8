"""The mapping language: load, compile, run, explain, test."""
