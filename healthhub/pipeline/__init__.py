"""The whole way in: convert, identify, store."""

from healthhub.pipeline.conversion import Convert
from healthhub.pipeline.process import Tally, process

__all__ = ["Convert", "Tally", "process"]
