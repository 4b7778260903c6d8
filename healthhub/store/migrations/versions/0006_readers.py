"""Revision 0006: the audit can be asked by patient."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEX = "create index on audit_event using gin (patients)"


def upgrade() -> None:
    """Index whose data was seen; GIN gathers its entries, so that a read pays little for it."""
    op.execute(INDEX)
