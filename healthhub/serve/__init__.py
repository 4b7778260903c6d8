"""User-facing services; none knows another."""
