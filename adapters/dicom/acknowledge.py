"""The answer to one who sent an object otherwise than by STOW-RS: JSON, as there is no form."""

from __future__ import annotations

import orjson

from healthhub.adapter_api import BadMessage, Outcome


def acknowledge(outcome: Outcome, text: str, error: BadMessage | None) -> bytes:
    """``{"outcome": "reject", "text": …, "place": …}``."""
    said = {"outcome": outcome, "text": text, "place": error.place if error else ""}
    return orjson.dumps({key: value for key, value in said.items() if value})
