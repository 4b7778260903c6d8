"""What the adapter's tests share: sources by charset, and the corpora."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[2].parent / "shared" / "corpora"


@dataclass(frozen=True)
class Feed:
    """A source as the adapter sees it."""

    charset: str = "utf-8"
    zone: str = "Asia/Shanghai"


def corpus() -> list[Path]:
    """All messages of the corpora; empty where they are not at hand."""
    return sorted(CORPORA.glob("hl7v2-*/*.hl7"))
