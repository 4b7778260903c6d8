"""Revision 0027: accounts with a second factor."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

COLUMNS = """
alter table account
    add column code_secret text,
    add column code_step bigint not null default 0;
comment on column account.code_secret is 'Of its TOTP codes (base32); null: it has none';
comment on column account.code_step is 'The last step whose code was used: none is used twice';
"""


def upgrade() -> None:
    """Widen the table."""
    op.execute(COLUMNS)
