"""Where something stands in a mapping file, and errors that say so."""

from __future__ import annotations

from dataclasses import dataclass

from healthhub.errors import MappingError


@dataclass(frozen=True, slots=True)
class Where:
    """A line of a mapping file; ``file`` is relative to the mappings folder."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def wrong(where: Where, message: str, rule: str = "") -> MappingError:
    """The error of a mapping: file, line, rule and what to do."""
    quoted = f" in the rule {rule!r}" if rule else ""
    return MappingError(f"{where}: {message}{quoted}", expression=str(where))


def located(error: MappingError, where: Where, text: str) -> MappingError:
    """An error with its place, unless it has one."""
    return error if error.expression else wrong(where, error.message, text)
