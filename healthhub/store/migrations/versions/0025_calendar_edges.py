"""Revision 0025: no row holds a time that the database can write and nobody can read."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

MESSAGES = """
update message set at = null
 where at < '0002-01-01 00:00:00+00' or at >= '9999-01-01 00:00:00+00'
"""
RESOURCES = """
with ends as (select '0001-01-02 00:00:00+00'::timestamptz as first,
                     '9999-12-30 00:00:00+00'::timestamptz as last)
update resource r
   set at_start = case when at_start is not null then least(greatest(at_start, first), last) end,
       at_end = case when at_end is not null then least(greatest(at_end, first), last) end,
       event_at = least(greatest(event_at, first), last)
  from ends
 where at_start < first or at_start > last or at_end < first or at_end > last
    or event_at < first or event_at > last
"""


def upgrade() -> None:
    """Do to what came before as is done now: 0001-01-01 in China is a year before the first in
    UTC. A message so dated held up its queue, a resource the order of a search and the check of
    the index. Both tables are read through once; hardly any row is written."""
    op.execute(MESSAGES)
    op.execute(RESOURCES)
