"""Revision 0002: raw messages, where each stands, what was found in it, and what people did."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
create sequence message_id as bigint;

-- What came. Never updated. The same bytes of the same source are one row, by constraint.
create table message (
    id bigint primary key,
    digest bytea not null unique,   -- BLAKE2b-128 over source and bytes
    source text not null,
    received timestamptz not null,
    via text not null,              -- mllp, http or file, with the peer's address
    size integer not null,          -- bytes as received
    kind text not null,
    control text not null,
    patient text not null,
    at timestamptz,
    numbers text[] not null
);
create index message_by_source on message (source, id);
create index message_by_number on message using gin ((numbers || array[control, patient]))
    with (fastupdate = off);
create index message_by_time on message using brin (received) with (pages_per_range = 16);

-- Where it stands: one row and one state for each message. Narrow, because it changes.
create table message_state (
    id bigint primary key,
    state text not null check (state in
        ('pending', 'retry', 'done', 'parked', 'rejected', 'ignored')),
    lane smallint not null,
    order_key bigint not null,      -- hash of source and patient: order is kept within it
    attempts smallint not null default 0,
    next_try timestamptz,
    changed timestamptz not null default now(),
    check ((state = 'retry') = (next_try is not null))
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index message_pending on message_state (id) where state = 'pending';
create index message_retry on message_state (order_key, id) where state = 'retry';
create index message_noted on message_state (state, id)
    where state in ('retry', 'parked', 'rejected', 'ignored');

-- The bytes, by day of receipt (UTC): dropping a day gives its disk back.
create table raw_message (
    day date not null,
    id bigint not null,
    packed smallint not null,       -- 0 as they came, 1 zstd
    raw bytea not null,
    primary key (id, day)
) partition by range (day);
alter table raw_message alter column raw set storage external;

create table message_finding (
    message bigint not null,
    ordinal smallint not null,
    severity text not null,
    code text not null,
    place text not null,
    rule text not null,
    detail text not null,
    value text not null,            -- may be patient data: shown with the message only
    primary key (message, ordinal)
);
create index message_finding_by_code on message_finding (code, message);

-- Replays and dismissals: who, why, which, how many.
create table message_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    who text not null,
    action text not null,
    reason text not null check (reason <> ''),
    filter jsonb not null,
    messages bigint not null
);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
