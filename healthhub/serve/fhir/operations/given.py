"""The parameters of an operation, from the address or from a Parameters resource.

http://hl7.org/fhir/R4/operations.html#request
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from healthhub.access import holdings
from healthhub.errors import InvalidRequest, UnknownParameter, UnsupportedMedia
from healthhub.model.resource import Body
from healthhub.serve.fhir.asked import FORM, Asked

_MEDIA = frozenset({"application/fhir+json", "application/json", "text/json"})
MOST = 1000
"""Parameters of one request."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was given, in order; ``resource`` is a body that is no Parameters."""

    pairs: tuple[tuple[str, Any], ...]
    resource: Body | None = None

    def all(self, name: str) -> list[Any]:
        """All values of a parameter."""
        return [value for key, value in self.pairs if key == name]

    def one(self, name: str) -> Any:
        """The value of a parameter that may be given once; None without."""
        found = self.all(name)
        if len(found) > 1:
            raise InvalidRequest(f"{name} may be given once", expression=name)
        return found[0] if found else None

    def text(self, name: str) -> str | None:
        """A text, code or URI."""
        value = self.one(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise InvalidRequest(f"{name} is a text", expression=name)
        return value

    def needed(self, name: str) -> str:
        """A text that must be given."""
        value = self.text(name)
        if value is None:
            raise InvalidRequest(f"give the parameter {name}", expression=name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """true or false."""
        value = self.one(name)
        if value is None:
            return default
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise InvalidRequest(f"{name} is true or false", expression=name)

    def number(self, name: str) -> int | None:
        """A whole number from 0 on."""
        value = self.one(name)
        if value is None:
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
            return value
        raise InvalidRequest(f"{name} is a whole number from 0 on", expression=name)

    def object(self, name: str) -> Body | None:
        """A resource, or a value with parts (Coding, Meta)."""
        value = self.one(name)
        if value is not None and not isinstance(value, dict):
            raise InvalidRequest(
                f"send {name} in a Parameters resource by POST", expression=name
            )
        return value


async def given(
    request: Request, ask: Asked, allowed: Collection[str], *, resource: bool = False
) -> Given:
    """The parameters; UnknownParameter for others than ``allowed``. With ``resource`` the body
    may also be the resource that the operation is about, without Parameters around it."""
    pairs: list[tuple[str, Any]] = [p for p in ask.params if p[0] not in FORM]
    own: Body | None = None
    raw = await request.body() if request.method == "POST" else b""
    if raw.strip():
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media not in _MEDIA:
            raise UnsupportedMedia("send the parameters as Content-Type: application/fhir+json")
        body = holdings.loads(raw)
        if body.get("resourceType") == "Parameters":
            pairs += _of_parameters(body)
        elif resource:
            own = body
        else:
            raise InvalidRequest("send a Parameters resource", expression="resourceType")
    if len(pairs) > MOST:
        raise InvalidRequest(f"at most {MOST} parameters go in one request")
    for name, _ in pairs:
        if name not in allowed:
            raise UnknownParameter(
                f"{name[:64]!r} is no parameter here; there are {', '.join(allowed)}",
                expression=name[:64],
            )
    return Given(tuple(pairs), own)


def _of_parameters(body: Body) -> list[tuple[str, Any]]:
    listed = body.get("parameter", [])
    if not isinstance(listed, list):
        raise _shapeless("Parameters.parameter")
    return [_pair(one, f"Parameters.parameter[{index}]") for index, one in enumerate(listed)]


def _pair(one: Any, place: str) -> tuple[str, Any]:
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        raise _shapeless(place)
    held = [
        value
        for name, value in one.items()
        if name in ("resource", "part") or (name.startswith("value") and name != "value")
    ]
    if len(held) != 1 or held[0] is None:
        raise _shapeless(place)
    return one["name"], held[0]


def _shapeless(place: str) -> InvalidRequest:
    return InvalidRequest(
        f"{place}: a parameter has a name and one value[x], resource or part", expression=place
    )
