"""Which messages made what the store holds of some patients."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from healthhub.store.query import Query


def messages(patients: Sequence[UUID], most: int) -> Query[list[int]]:
    """The numbers of the messages behind every version of these patients' resources, the
    newest first; writes by clients have none."""
    return Query(
        """select distinct message from (
               select message from resource where patient_key = any(%b)
               union all
               select message from resource_history where patient_key = any(%b)) made
            where message > 0 order by message desc limit %b""",
        (list(patients), list(patients), most),
        lambda rows: [row[0] for row in rows],
    )
