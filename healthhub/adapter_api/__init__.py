"""What an adapter for one kind of feed offers, and how it is found."""

from healthhub.adapter_api.adapter import Adapter, Feed, Outcome
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.adapter_api.registry import find

__all__ = ["Adapter", "BadMessage", "Feed", "Outcome", "find"]
