"""The one error that an adapter raises: bytes that cannot be a message of its kind."""

from __future__ import annotations

from healthhub.errors import HubError


class BadMessage(HubError):
    """Bytes that are no message; the text tells the sender what to correct.

    ``condition`` is a code of HL7 table 0357 (100 segment sequence, 101 required field missing,
    102 data type, 200 unsupported message type, 207 internal ...); ``place`` names segment and
    field or byte (``MSH-9``, ``byte 210``). Neither it nor the text holds patient data.
    """

    code, status, issue = "bad-message", 400, "structure"

    def __init__(self, message: str, *, condition: str = "100", place: str = "") -> None:
        super().__init__(message, expression=place or None)
        self.condition = condition
        self.place = place
