"""Revision 0026: a hospital's system brings its doctor to one record."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

TABLES = """
create table doctor (
    id bigint generated always as identity primary key,
    source text not null,
    number text not null,
    title text not null,
    unique (source, number)
);
comment on table doctor is
    'Who was brought to a record: as the system of the source numbers and names them';
create table launch_ticket (
    ticket bytea primary key,
    client bigint not null references client on delete cascade,
    doctor bigint not null references doctor on delete cascade,
    patient uuid not null,
    purpose text not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index on launch_ticket (expires_at);
comment on column launch_ticket.ticket is 'SHA-256 of the ticket; the ticket is nowhere stored';
create table launch_session (
    token bytea primary key,
    client bigint not null references client on delete cascade,
    doctor bigint not null references doctor on delete cascade,
    patient uuid not null,
    purpose text not null,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index on launch_session (expires_at);
comment on column launch_session.token is
    'SHA-256 of the cookie; the cookie itself is nowhere stored';
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
