"""Revision 0017: files that were uploaded in the console, until they are taken."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = """
create table upload (
    id bigint generated always as identity primary key,
    made timestamptz not null default now(),
    changed timestamptz not null default now(),
    who text not null,
    source text not null,
    name text not null,
    size bigint not null,
    content bytea,
    state text not null check (state in ('checked', 'taking', 'taken', 'failed', 'expired')),
    told jsonb not null default '{}'
);
alter table upload alter column content set storage external;
comment on column upload.content is 'The file, until it is taken or an hour has passed';
create index upload_open on upload (id) where state in ('checked', 'taking');
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
