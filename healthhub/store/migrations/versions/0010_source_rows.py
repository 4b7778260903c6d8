"""Revision 0010: what each row of a table last said, and how far each view has been read."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
create table source_row (
    source text not null,
    tab text not null,
    key text not null,
    digest bytea not null,
    revision integer not null,
    message bigint not null,
    gone boolean not null,
    primary key (source, tab, key)
);
comment on table source_row is
    'Rows of files and views: the message that says what each last said';
comment on column source_row.key is 'Business key, its parts joined by U+001F';
create table source_cursor (
    source text not null,
    tab text not null,
    position text not null,
    swept timestamptz,
    problem text not null,
    at timestamptz not null default now(),
    primary key (source, tab)
);
comment on table source_cursor is
    'How far a view has been read; written in the transaction that keeps its rows';
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
