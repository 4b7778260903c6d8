"""Revision 0007: what changed, for whom it is, and what was delivered."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
create table change (
    seq bigint generated always as identity primary key,
    type smallint not null,
    id uuid not null,
    version integer not null,
    actor text,
    at timestamptz not null default clock_timestamp()
);
comment on table change is
    'Versions stored and not yet matched with subscriptions; written with the version itself';
comment on column change.actor is 'Who wrote it and why; told of Subscriptions alone';
create table change_watch (types smallint[] not null);
insert into change_watch values ('{80}');
comment on column change_watch.types is 'Those of the triggers; 80 (Subscription) always';
create function note_change() returns trigger language plpgsql as $$
begin
    insert into change (type, id, version) values (new.type, new.id, new.version);
    return null;
end $$;
create trigger note_insert after insert on resource
    for each row when (new.type = any ('{80}'::smallint[])) execute function note_change();
create trigger note_update after update on resource
    for each row when (new.type = any ('{80}'::smallint[]) and new.version <> old.version)
    execute function note_change();

create table subscription (
    id uuid primary key,
    fhir_id text not null,
    owner text not null,
    purpose text not null,
    version integer not null,
    state text not null check (state in ('requested', 'active', 'error', 'off')),
    wanted jsonb not null,
    types smallint[] not null,
    counting boolean not null default false,
    ends timestamptz,
    events bigint not null default 0,
    delivered bigint not null default 0,
    failures integer not null default 0,
    next_try timestamptz not null default now(),
    said text not null default '',
    last_sent timestamptz,
    failing_since timestamptz
);
comment on column subscription.counting is 'Events are entered, whether or not they get through';
comment on column subscription.delivered is 'The last event that the receiver has acknowledged';
create table subscription_event (
    subscription uuid not null references subscription on delete cascade,
    number bigint not null,
    type smallint not null,
    id uuid not null,
    version integer not null,
    deleted boolean not null,
    created boolean not null,
    at timestamptz not null,
    primary key (subscription, number)
);
create index on subscription_event (at);
"""


def upgrade() -> None:
    """Create the tables, and note changes of Subscriptions from now on."""
    op.execute(TABLES)
