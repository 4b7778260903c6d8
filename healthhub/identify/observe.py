"""Keep persons up to date with what was just written about patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from healthhub.model.resource import Merge


def observe(
    connection: psycopg.Connection, written: Sequence[Any], merges: Sequence[Merge]
) -> None:
    """Link the patients of ``written`` (store.writer.Written) and apply ``merges``.

    Runs inside the caller's transaction, after the drafts were written; rewrites the golden
    Patients concerned. Blocks while another transaction links the same person.
    """
    raise NotImplementedError
