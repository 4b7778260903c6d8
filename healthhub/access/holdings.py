"""What the store can hold and find, for those who describe it: types and search parameters."""

from healthhub.store import dates
from healthhub.store.criteria import COMPARTMENT
from healthhub.store.histories import Span
from healthhub.store.parameters import (
    CONTROL,
    Parameter,
    compartments,
    edition,
    parameters,
)
from healthhub.store.query import Page
from healthhub.store.search import understood
from healthhub.store.types import NAMES
from healthhub.store.wire import dumps, loads, parse, reload

TRANSIENT = frozenset({"Parameters", "OperationOutcome"})
"""R4 resources that only travel and are never stored (their own pages of the specification)."""
TYPES: tuple[str, ...] = tuple(name for name in NAMES if name not in TRANSIENT)

__all__ = [
    "COMPARTMENT",
    "CONTROL",
    "TYPES",
    "Page",
    "Parameter",
    "Span",
    "compartments",
    "dates",
    "dumps",
    "edition",
    "loads",
    "parameters",
    "parse",
    "reload",
    "understood",
]
