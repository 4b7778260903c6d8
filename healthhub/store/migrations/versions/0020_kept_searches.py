"""Revision 0020: searches that were sent in a body, so that their pages' addresses need not hold them."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLE = """
create unlogged table kept_search (
    token text primary key,
    actor text not null,
    place text not null,
    params jsonb not null,
    at timestamptz not null default now()
);
create index on kept_search (at);
comment on table kept_search is 'Searches of the last hour for whose next page may be asked';
"""


def upgrade() -> None:
    """To this revision."""
    op.execute(TABLE)
