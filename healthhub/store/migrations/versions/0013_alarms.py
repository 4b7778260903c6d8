"""Revision 0013: alarms, and what is told of them to whom."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = """
create table alarm (
    id bigint generated always as identity primary key,
    source text not null,
    rule text not null,
    opened timestamptz not null default now(),
    facts jsonb not null,
    calm_since timestamptz,
    closed timestamptz,
    acknowledged timestamptz,
    who text not null default '',
    note text not null default ''
);
comment on column alarm.source is 'Empty where the hub itself is meant';
comment on column alarm.facts is 'Numbers and times of the rule; no patient''s data';
comment on column alarm.calm_since is 'Since when its rule no longer holds';
create unique index alarm_open on alarm (source, rule) where closed is null;
create table alarm_notice (
    id bigint generated always as identity primary key,
    alarm bigint not null references alarm,
    hook text not null,
    event text not null,
    body text not null,
    made timestamptz not null default now(),
    attempts integer not null default 0,
    next_try timestamptz not null default now(),
    sent timestamptz,
    given_up timestamptz,
    said text not null default ''
);
comment on table alarm_notice is 'Outbox of web hooks; written with the alarm itself';
create index alarm_notice_due on alarm_notice (hook, alarm, id)
    where sent is null and given_up is null;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
