"""Loads of history: years of a source's data at full speed, by several processes."""

from healthhub.load.portion import Outcome
from healthhub.load.run import load

__all__ = ["Outcome", "load"]
