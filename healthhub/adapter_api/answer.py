"""The answer to senders of what has no form of answer of its own (tables, recordings, objects)."""

from __future__ import annotations

import orjson

from healthhub.adapter_api.adapter import Outcome
from healthhub.adapter_api.bad_message import BadMessage


def in_json(outcome: Outcome, text: str, error: BadMessage | None) -> bytes:
    """``{"outcome": "reject", "text": …, "place": …}``, without what says nothing."""
    said = {"outcome": outcome, "text": text, "place": error.place if error else ""}
    return orjson.dumps({key: value for key, value in said.items() if value})
