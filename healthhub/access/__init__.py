"""The only door for reads: actor, purpose, audit."""
