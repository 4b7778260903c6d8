"""Revision 0008: versions in the order in which they were stored, for the history of types."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEXES = """
-- All versions of one transaction share a moment, so that the index keeps it once for many rows.
create index resource_updated on resource (type, updated);
create index resource_history_updated on resource_history (type, updated);
"""


def upgrade() -> None:
    """Create the indexes."""
    op.execute(INDEXES)
