"""Stored resources as dicts whose decimals keep their digits (1.50 is shown as 1.50)."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import orjson

from healthhub.model.resource import Body

_DECIMAL = re.compile(rb'"value":-?(?:\d+\.\d*0[,}]|\d+(?:\.\d+)?[eE]|(?=\d*\.)[\d.]{17})')
"""A Quantity's value that a float would show with other digits: it ends in 0, has an exponent,
or more than 16 digits. The store writes JSON without blanks; the literal start makes the search
ten times as quick as one that looks at every number."""


def parse(data: bytes) -> Body:
    """A resource; the quicker reader where no digit can be lost by it."""
    if _DECIMAL.search(data):
        return json.loads(data, parse_float=Decimal)
    return orjson.loads(data)
