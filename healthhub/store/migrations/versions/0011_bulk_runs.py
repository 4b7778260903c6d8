"""Revision 0011: the runs of each bulk job since it last got on."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
create unlogged table bulk_run (
    job bigint primary key,
    begun smallint not null
);
comment on table bulk_run is
    'Runs begun since the job last got on: a job that kills its process again and again is ended';
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
