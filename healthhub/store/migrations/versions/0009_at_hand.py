"""Revision 0009: what workers have at hand, and the messages over which workers died."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = """
create unlogged table message_at_hand (
    token integer primary key,      -- the worker's; it holds an advisory lock of this number
    ids bigint[] not null
);
create unlogged table message_suspect (
    id bigint primary key,
    deaths smallint not null
);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
