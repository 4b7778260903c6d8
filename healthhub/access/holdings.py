"""What the store can hold and find, for those who describe it: types and search parameters."""

from healthhub.store import dates
from healthhub.store.histories import Span
from healthhub.store.parameters import CONTROL, Parameter, parameters
from healthhub.store.query import Page
from healthhub.store.types import NAMES
from healthhub.store.wire import dumps, loads, parse, reload

TRANSIENT = frozenset({"Parameters", "OperationOutcome"})
"""R4 resources that only travel and are never stored (their own pages of the specification)."""
TYPES: tuple[str, ...] = tuple(name for name in NAMES if name not in TRANSIENT)

__all__ = [
    "CONTROL",
    "TYPES",
    "Page",
    "Parameter",
    "Span",
    "dates",
    "dumps",
    "loads",
    "parameters",
    "parse",
    "reload",
]
