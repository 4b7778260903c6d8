"""The parts of a multipart/related body (RFC 2387), cut without copying the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from healthhub.errors import InvalidRequest

_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s;"]+))')
MOST_HEAD = 8192


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its media type in small letters, without parameters, and its bytes."""

    media_type: str
    content: bytes


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """A media type and its parameters."""
    kind = content_type.partition(";")[0].strip().lower()
    found = {m[1].lower(): m[2] or m[3] or "" for m in _PARAMETER.finditer(content_type)}
    return kind, found


def parts(body: bytes, boundary: str) -> Iterator[Part]:
    """The parts in order; InvalidRequest when the body is none, or was cut off."""
    line = b"--" + boundary.encode("latin-1", "replace")
    at = 0 if body.startswith(line) else body.find(b"\r\n" + line)
    if not boundary or at < 0:
        raise InvalidRequest(
            "the body is no multipart of the boundary that Content-Type names; send the parts "
            "between lines of --BOUNDARY",
            expression="Content-Type",
        )
    at = body.index(line, at) + len(line)
    while body[at : at + 2] != b"--":
        head = body.find(b"\r\n\r\n", at, at + MOST_HEAD)
        # a part without headers begins with an empty line
        head = at if body[at : at + 4] == b"\r\n\r\n" else head
        end = body.find(b"\r\n" + line, max(head, at))
        if head < 0 or end < 0:
            raise InvalidRequest(
                "the multipart body ends before its last boundary; send it again, whole"
            )
        yield Part(_media_type(body[at:head]), body[head + 4 : end])
        at = end + 2 + len(line)


def _media_type(head: bytes) -> str:
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.partition(";")[0].strip().lower()
    return ""
