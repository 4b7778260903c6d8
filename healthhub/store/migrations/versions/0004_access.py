"""Revision 0004: accounts, clients, sessions, audit."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACCOUNTS = """
create table account (
    id bigint generated always as identity primary key,
    name text not null unique,
    title text not null default '',
    password text not null,
    roles text[] not null,
    failures integer not null default 0,
    locked_until timestamptz,
    created_at timestamptz not null default now(),
    disabled_at timestamptz
);
create table session (
    token bytea primary key,
    account bigint not null references account on delete cascade,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index on session (account);
create table client (
    id bigint generated always as identity primary key,
    name text not null unique,
    token bytea not null unique,
    roles text[] not null,
    purpose text not null,
    created_at timestamptz not null default now(),
    disabled_at timestamptz
);
comment on column session.token is 'SHA-256 of the cookie; the cookie itself is nowhere stored';
comment on column client.token is 'SHA-256 of the bearer token; the token is nowhere stored';
"""

AUDIT = """
create table audit_event (
    id bigint generated always as identity,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    purpose text not null,
    action text not null,
    outcome text not null,
    type text,
    patients uuid[] not null default '{}',
    ids text[] not null default '{}',
    query text,
    address text,
    primary key (at, id)
) partition by range (at);
create table audit_event_rest partition of audit_event default;
create index on audit_event (actor, at);
comment on table audit_event is 'Who did what to whose data, and why; rows are only added';
create function audit_event_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'audit events are never changed or removed one by one';
end $$;
create trigger audit_event_is_final before update or delete on audit_event
    for each row execute function audit_event_is_final();
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(ACCOUNTS)
    op.execute(AUDIT)
