"""Revision 0012: figures of each source by the hour, kept true by triggers.

Whoever writes a message, its state or its findings, in whatever way, writes a few rows of
``figure_tally`` with it; they are folded into ``source_figure`` later, so that writers never
wait for each other over a counter.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
create table message_repeat (
    message bigint primary key,
    times integer not null,
    at timestamptz not null
);
comment on table message_repeat is 'Messages whose bytes came again: how often, and when last';
create index message_repeat_at on message_repeat (at);

create table source_figure (
    source text not null,
    hour timestamptz not null,
    measure text not null,
    label text not null,
    n bigint not null,
    primary key (source, hour, measure, label)
);
comment on column source_figure.hour is
    'Of receipt, UTC; -infinity holds the sum of all hours';
create table figure_tally (
    source text not null,
    hour timestamptz not null,
    measure text not null,
    label text not null,
    n bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table figure_tally is 'Differences that are not yet in source_figure';
create view figure as
    select source, hour, measure, label, n from source_figure
    union all select source, hour, measure, label, n from figure_tally
    union all select source, '-infinity', measure, label, n from figure_tally;

create function hour_of(at timestamptz) returns timestamptz
    language sql immutable parallel safe as $$ select date_trunc('hour', at, 'UTC') $$;

-- How long after the event its message came; the upper bound of a class, exclusive.
create function delay_class(at timestamptz, received timestamptz) returns text
    language sql immutable parallel safe as
$$ select case when at is null then 'none'
               when at > received + interval '5 minutes' then 'ahead'
               when received - at < interval '1 minute' then '1m'
               when received - at < interval '10 minutes' then '10m'
               when received - at < interval '1 hour' then '1h'
               when received - at < interval '1 day' then '1d'
               when received - at < interval '7 days' then '7d'
               else 'more' end $$;

-- How long a message waited until what it says could be read.
create function wait_class(waited interval) returns text
    language sql immutable parallel safe as
$$ select case when waited < interval '1 second' then '1s'
               when waited < interval '5 seconds' then '5s'
               when waited < interval '30 seconds' then '30s'
               when waited < interval '5 minutes' then '5m'
               when waited < interval '1 hour' then '1h'
               else 'more' end $$;

-- What a finding says of the source's data; empty: it says nothing of it.
create function finding_flaw(code text, severity text) returns text
    language sql immutable parallel safe as
$$ select case when code in ('taken', 'mapping', 'transient', 'internal', 'no-bytes',
                             'unknown-source', 'worker-died', 'question', 'not-production')
                    then ''
               when code in ('no-key', 'no-patient', 'placeholder', 'nothing')
                    then 'completeness'
               when code in ('bad-time', 'conflict', 'not-applied')
                    then 'consistency'
               when severity = 'info' then ''
               else 'conformity' end $$;
"""

TRIGGERS = """
create function tally_messages() returns trigger language plpgsql as $$
begin
    insert into figure_tally
    select m.source, hour_of(m.received), f.measure, f.label, sum(f.n)
      from changed_rows m cross join lateral (values
           ('received', '', 1::bigint), ('bytes', '', m.size::bigint),
           ('delay', delay_class(m.at, m.received), 1)) f (measure, label, n)
     group by 1, 2, 3, 4;
    return null;
end $$;
create function tally_messages_again() returns trigger language plpgsql as $$
begin
    insert into figure_tally
    select m.source, hour_of(m.received), f.measure, f.label, sum(m.sign * f.n)
      from (select 1 as sign, * from changed_rows
            union all select -1, * from former_rows) m cross join lateral (values
           ('received', '', 1::bigint), ('bytes', '', m.size::bigint),
           ('delay', delay_class(m.at, m.received), 1)) f (measure, label, n)
     group by 1, 2, 3, 4 having sum(m.sign * f.n) <> 0;
    return null;
end $$;
create trigger tally_insert after insert on message referencing new table as changed_rows
    for each statement execute function tally_messages();
create trigger tally_update after update on message
    referencing new table as changed_rows old table as former_rows
    for each statement execute function tally_messages_again();

create function tally_states() returns trigger language plpgsql as $$
begin
    insert into figure_tally
    select m.source, hour_of(m.received), 'state', s.state, count(*)
      from changed_rows s join message m using (id) group by 1, 2, 4;
    return null;
end $$;
create function tally_states_again() returns trigger language plpgsql as $$
begin
    insert into figure_tally
    select m.source, hour_of(m.received), f.measure, f.label, sum(f.n)
      from (select n.id, n.state, o.state as former, n.changed, o.changed as since
              from changed_rows n join former_rows o using (id) where n.state <> o.state) s
      join message m using (id) cross join lateral (
           select 'state' as measure, s.state as label, 1 as n
           union all select 'state', s.former, -1
           -- What a replay made wait was read long before.
           union all select 'wait', wait_class(s.changed - m.received), 1
               where s.state = 'done' and (s.former = 'retry' or s.former = 'pending'
                     and s.since < m.received + interval '1 minute')) f
     group by 1, 2, 3, 4 having sum(f.n) <> 0;
    return null;
end $$;
create trigger tally_insert after insert on message_state referencing new table as changed_rows
    for each statement execute function tally_states();
create trigger tally_update after update on message_state
    referencing new table as changed_rows old table as former_rows
    for each statement execute function tally_states_again();

-- All findings of a message are written, and taken away, by one statement: a message counts
-- once for each code, and once for each flaw.
create function tally_findings() returns trigger language plpgsql as $$
begin
    if not exists (select from changed_rows) then return null; end if;
    insert into figure_tally
    select m.source, hour_of(m.received), f.measure, f.label,
           tg_argv[0]::int * count(distinct f.message)
      from (select message, 'finding' as measure, code as label from changed_rows
            union all
            select message, 'flaw', finding_flaw(code, severity) from changed_rows) f
      join message m on m.id = f.message where f.label <> '' group by 1, 2, 3, 4;
    return null;
end $$;
create trigger tally_insert after insert on message_finding referencing new table as changed_rows
    for each statement execute function tally_findings('1');
create trigger tally_delete after delete on message_finding referencing old table as changed_rows
    for each statement execute function tally_findings('-1');

create function tally_repeats() returns trigger language plpgsql as $$
begin
    insert into figure_tally
    select m.source, hour_of(r.at), 'repeated', '', sum(r.times)
      from changed_rows r join message m on m.id = r.message group by 1, 2;
    return null;
end $$;
create function tally_repeats_again() returns trigger language plpgsql as $$
begin
    insert into figure_tally
    select m.source, hour_of(r.at), 'repeated', '', sum(r.times - o.times)
      from changed_rows r join former_rows o using (message)
      join message m on m.id = r.message group by 1, 2 having sum(r.times - o.times) <> 0;
    return null;
end $$;
create trigger tally_insert after insert on message_repeat referencing new table as changed_rows
    for each statement execute function tally_repeats();
create trigger tally_update after update on message_repeat
    referencing new table as changed_rows old table as former_rows
    for each statement execute function tally_repeats_again();
"""

PRESENT = """
insert into figure_tally
select m.source, hour_of(m.received), f.measure, f.label, sum(f.n)
  from message m join message_state s using (id) cross join lateral (values
       ('received', '', 1::bigint), ('bytes', '', m.size::bigint),
       ('delay', delay_class(m.at, m.received), 1), ('state', s.state, 1)
  ) f (measure, label, n) group by 1, 2, 3, 4;
insert into figure_tally
select m.source, hour_of(m.received), f.measure, f.label, count(distinct f.message)
  from (select message, 'finding' as measure, code as label from message_finding
        union all
        select message, 'flaw', finding_flaw(code, severity) from message_finding) f
  join message m on m.id = f.message where f.label <> '' group by 1, 2, 3, 4;
"""


def upgrade() -> None:
    """Create tables and triggers, and count what is there (one reading of all messages)."""
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(PRESENT)
