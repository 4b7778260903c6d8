"""Whether the hub has fetched all that the city has put into folders and views for it."""

from __future__ import annotations

import psycopg

from healthhub.city.sender import Wires
from healthhub.city.tables import FileWriter, ViewsWriter
from healthhub.keep import rows
from healthhub.receive import views
from healthhub.receive.tables import taker
from healthhub.settings import Settings


class Fetched:
    """Looks into the folders, and compares the hub's cursors with the views."""

    def __init__(self, settings: Settings, wires: Wires) -> None:
        self._wires = wires
        self._views = {
            source: {
                name: table.sources[0]
                for name, table in taker(settings, source).definition.tables.items()
            }
            for source, writer in wires.writers.items()
            if isinstance(writer, ViewsWriter)
        }

    def waiting(self, conn: psycopg.Connection) -> str:
        """The name of a source that still has something to be fetched; empty if none has."""
        for source, writer in self._wires.writers.items():
            if isinstance(writer, FileWriter):
                if writer.waiting():
                    return source
            elif self._behind(conn, source, writer):
                return source
        return ""

    def _behind(self, conn: psycopg.Connection, source: str, writer: ViewsWriter) -> bool:
        newest = writer.newest()
        return any(
            str(views.unpacked(rows.cursor(conn, source, name).position) or "") < newest[view]
            for name, view in self._views[source].items()
            if view in newest
        )
