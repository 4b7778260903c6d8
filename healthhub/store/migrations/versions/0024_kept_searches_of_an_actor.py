"""Revision 0024: the kept searches of an actor are found by age, so that the oldest can go."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.execute("create index on kept_search (actor, at)")
