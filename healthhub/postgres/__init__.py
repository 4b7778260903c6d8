"""The hub's PostgreSQL: the server that the settings name, or one of its own in the data folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from healthhub.postgres.place import Place, choose
from healthhub.postgres.programs import Programs, find
from healthhub.postgres.server import Server
from healthhub.settings import Settings

__all__ = ["Place", "Programs", "Server", "choose", "embedded", "find", "running"]


def embedded(settings: Settings, conf: Mapping[str, str] | None = None) -> Server:
    """The server in ``settings.data_dir``, not started yet; ``conf`` adds to its configuration."""
    place = choose(settings.data_dir)
    programs = find(settings.postgres_bin, place)
    return Server(place, programs, conf or {})


@contextmanager
def running(settings: Settings, conf: Mapping[str, str] | None = None) -> Iterator[str]:
    """Give the address of a database that is up; the last user of an embedded one stops it."""
    if settings.dsn is not None:
        yield settings.dsn
        return
    server = embedded(settings, conf)
    dsn = server.start()
    try:
        yield dsn
    finally:
        server.leave()
