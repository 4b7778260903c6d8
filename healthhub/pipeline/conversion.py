"""Converting messages with the converter of their source; a failure is a finding, not an end."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from healthhub.errors import HubError
from healthhub.model.finding import Finding
from healthhub.model.message import Message
from healthhub.model.resource import Converted

log = logging.getLogger(__name__)


class Convert(Protocol):
    """The converter of one source (healthhub.convert.Converter)."""

    def convert(self, message_id: int, raw: bytes, received: datetime, /) -> Converted:
        """What a message says, as drafts, merges and findings."""
        ...


@dataclass(frozen=True, slots=True)
class Conversion:
    """A message and what came of it. With an error among the findings it is to be parked."""

    message: Message
    converted: Converted
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether a person must look at the message."""
        return any(finding.severity == "error" for finding in self.findings)


def convert(message: Message, converters: Mapping[str, Convert]) -> Conversion:
    """Convert one message. Never raises: content can be anything."""
    converter = converters.get(message.source)
    if converter is None:
        return _failed(
            message,
            "unknown-source",
            f"source {message.source} is no longer in the settings; "
            "add it again and replay the message",
        )
    if not message.raw:
        return _failed(
            message, "no-bytes", "the bytes were pruned by policy; ask for them anew"
        )
    try:
        converted = converter.convert(message.id, message.raw, message.received)
    except HubError as error:
        return _failed(message, error.code, error.message, error.expression or "")
    except Exception as error:  # noqa: BLE001 - the catch-all at the worker's edge: it parks
        return _failed(message, "internal", unexpected("convert", message.id, error))
    return Conversion(message, converted, converted.findings)


def unexpected(stage: str, message: int, error: BaseException) -> str:
    """Log a fault of the hub itself without its text, which could quote patient data; gives
    the sentence for the finding."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames[-4:]))
    log.error("%s fault message=%d error=%s at=%s", stage, message, type(error).__name__, where)
    return (
        f"a fault of the hub ({type(error).__name__} at {where}); "
        "report it with the message's number, and replay when corrected"
    )


def _failed(message: Message, code: str, detail: str, where: str = "") -> Conversion:
    finding = Finding("error", code, where, detail)
    return Conversion(message, Converted(drafts=()), (finding,))
