"""Where the hub may connect to on a client's word: addresses that an administrator allowed."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from healthhub.errors import Unprocessable

_PORTS = {"http": 80, "https": 443}


def require(url: str, allowed: Sequence[str], setting: str, expression: str) -> None:
    """Raise Unprocessable unless ``url`` begins with one of the ``allowed`` addresses.

    Scheme, host and port must be equal and the path must go on below theirs, so that a client
    cannot make the hub call its own machine or network (server-side request forgery).
    """
    wanted = _parts(url)
    if wanted is None:
        raise Unprocessable(
            "the address must be http(s)://host/path, without user, fragment or '..'",
            expression=expression,
        )
    if not any(_covers(prefix, wanted) for prefix in allowed):
        raise Unprocessable(
            f"the hub may not connect to this address; an administrator allows it in the "
            f"setting {setting}",
            expression=expression,
        )


def _parts(url: str) -> SplitResult | None:
    if any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        return None
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return None
    if found.scheme not in _PORTS or not found.hostname or found.fragment or port == 0:
        return None
    if found.username is not None or found.password is not None:
        return None
    if ".." in unquote(unquote(found.path)).split("/"):
        return None
    return found


def _covers(prefix: str, wanted: SplitResult) -> bool:
    allowed = _parts(prefix)
    if allowed is None or _origin(allowed) != _origin(wanted):
        return False
    path = allowed.path.rstrip("/")
    return wanted.path == path or wanted.path.startswith(f"{path}/") or not path


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or _PORTS[url.scheme]
