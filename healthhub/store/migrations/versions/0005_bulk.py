"""Revision 0005: jobs of bulk export and import, and their files."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
create table bulk_job (
    number bigint generated always as identity primary key,
    id uuid not null unique default gen_random_uuid(),
    kind text not null check (kind in ('export', 'import')),
    owner text not null,
    purpose text not null,
    request text not null,
    base text not null,
    asked jsonb not null,
    state text not null default 'waiting'
          check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
    as_of timestamptz,
    patients uuid[],
    place jsonb not null default '{}',
    handled bigint not null default 0,
    said text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
create index on bulk_job (owner) where state in ('waiting', 'running');
comment on column bulk_job.as_of is
    'The moment whose state is exported; the same for every run of the job';
comment on column bulk_job.place is 'Where a next run goes on; written with the files before it';
comment on column bulk_job.said is 'Progress, or why it failed: a sentence for the client';

create table bulk_file (
    job bigint not null references bulk_job on delete cascade,
    name text not null,
    role text not null check (role in ('output', 'error', 'deleted')),
    type text not null,
    count bigint not null,
    primary key (job, name)
);

create table bulk_error (
    job bigint not null references bulk_job on delete cascade,
    input integer not null,
    line bigint not null,
    outcome text not null,
    primary key (job, input, line)
);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
