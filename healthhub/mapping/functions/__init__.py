"""The functions that rules may use, each documented where it stands (healthhub map functions)."""

from healthhub.mapping.functions import codes, numbers, people, readings, sheets, text, times
from healthhub.mapping.functions.registry import FUNCTIONS, Function, Need, table

__all__ = [
    "FUNCTIONS",
    "Function",
    "Need",
    "codes",
    "numbers",
    "people",
    "readings",
    "sheets",
    "table",
    "text",
    "times",
]
