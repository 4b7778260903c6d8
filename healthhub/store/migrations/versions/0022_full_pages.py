"""Revision 0022: pages of resources are filled."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave no room for next versions: those found some in 61 of 100 updates with it, in 56
    without, and it took 27 bytes a resource."""
    op.execute("alter table resource reset (fillfactor)")
