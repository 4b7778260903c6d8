"""Revision 0019: codes that no table has, the messages that hold them, and what they were mapped to."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = """
create table code_gap (
    id bigint generated always as identity primary key,
    source text not null,
    tab text not null,
    code text not null,
    display text not null,
    unit text not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    open bigint not null,
    mapped bigint not null,
    aside_by text not null default '',
    aside_why text not null default '',
    aside_at timestamptz,
    unique (source, tab, code)
) with (fillfactor = 70);
comment on table code_gap is 'Codes of a source that its mapping''s own tables lack';
comment on column code_gap.open is 'Messages whose last conversion did not know the code';
comment on column code_gap.mapped is 'Messages in which the overlay (code_map_version) knew it';
create table code_sighting (
    message bigint not null,
    gap bigint not null,
    version bigint not null,
    primary key (message, gap)
);
comment on table code_sighting is
    'Which message holds which code; version: that of code_map_version by which it was mapped, 0 none';
create index code_sighting_by_gap on code_sighting (gap, version, message);
create table code_map_version (
    number bigint generated always as identity primary key,
    mapping text not null,
    tab text not null,
    code text not null,
    target text,
    display text not null default '',
    system text not null default '',
    who text not null,
    why text not null check (why <> ''),
    at timestamptz not null default now(),
    undoes bigint,
    messages bigint not null default 0,
    lost bigint not null default 0,
    finished timestamptz
);
comment on table code_map_version is
    'Each change to the overlay of the code tables, never updated but for its re-derivation; target null: the code is unknown again, empty: it maps to nothing';
comment on column code_map_version.messages is 'Stored messages to derive again';
comment on column code_map_version.lost is 'Of those, how many could not be: their bytes are gone';
create index code_map_version_by_code on code_map_version (mapping, tab, code, number desc);
create index code_map_version_under_way on code_map_version (number) where finished is null;

-- What was found before this revision, from the findings.
insert into code_gap (source, tab, code, display, unit, first_seen, last_seen, open, mapped)
select m.source, substring(f.detail from '^the table (.*) has no such code'), f.value, '', '',
       min(m.received), max(m.received), count(distinct f.message), 0
  from message_finding f join message m on m.id = f.message
 where f.code = 'unknown-code' and f.detail ~ '^the table .* has no such code' and f.value <> ''
 group by 1, 2, 3;
insert into code_sighting (message, gap, version)
select distinct f.message, g.id, 0
  from message_finding f join message m on m.id = f.message
  join code_gap g on g.source = m.source and g.code = f.value
   and g.tab = substring(f.detail from '^the table (.*) has no such code')
 where f.code = 'unknown-code';
"""


def upgrade() -> None:
    """Create the tables, and fill them from the findings that there are."""
    op.execute(TABLES)
