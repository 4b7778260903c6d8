"""Revision 0021: how far each file of a history has been taken."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLES = """
create table source_file (
    source text not null,
    name text not null,
    size bigint not null,
    changed bigint not null,
    taken bigint not null,
    whole boolean not null,
    at timestamptz not null default now(),
    primary key (source, name)
);
comment on table source_file is 'How far a load has taken each file, by messages or rows';
comment on column source_file.name is 'Path of the file, and member of the archive';
comment on column source_file.changed is 'Time of its last change, nanoseconds since 1970';
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
