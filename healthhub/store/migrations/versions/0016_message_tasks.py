"""Revision 0016: replays and dismissals of many messages, done in the background."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = """
create table message_task (
    id bigint generated always as identity primary key,
    made timestamptz not null default now(),
    who text not null,
    action text not null check (action in ('replay', 'ignore')),
    reason text not null check (reason <> ''),
    shown jsonb not null,
    choice jsonb,
    reached bigint not null default 0,
    until bigint not null,
    touched bigint not null default 0,
    finished timestamptz,
    stopped text not null default ''
);
comment on table message_task is
    'Acts on all messages of a choice, in steps by ascending number; each step is whole or not';
comment on column message_task.shown is 'The choice as the log may show it';
comment on column message_task.choice is
    'The choice itself, which may hold a patient''s number; forgotten when the task is over';
create index message_task_open on message_task (id) where finished is null;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
