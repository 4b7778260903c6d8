"""Conversion: an adapter's record through a compiled mapping, checked; pure, no I/O."""

from healthhub.convert.converter import Converter
from healthhub.convert.explained import Explained

__all__ = ["Converter", "Explained"]
