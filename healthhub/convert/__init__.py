"""Runs an adapter and a mapping over one message; pure, no I/O."""
