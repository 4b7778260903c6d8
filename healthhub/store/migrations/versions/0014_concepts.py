"""Revision 0014: what a resource's code says, and the walk of everybody's rows by it."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = """
alter table resource add column concept integer;
comment on column resource.concept is
    'What its code, the units of its value and the length of its time say; resource_concept';
-- A concept is taken for a frequent one: rows of a rare one are found at once on any way, those of
-- a frequent one only in the order of the index.
alter table resource alter column concept set (n_distinct = 10);

create table resource_concept (
    token bigint not null,          -- of a code, as resource.tokens has it
    concept integer not null,
    unit integer not null,          -- hash of a name of the value's unit; 0: none
    traits smallint not null        -- 1: its time is long; 2: its values are several
);
create index resource_concept_token on resource_concept (token, concept);
comment on table resource_concept is 'The concepts that each code belongs to';

-- The minute of a moment since 1970; the ends of what four bytes hold stand for all beyond.
create function resource_minute(at timestamptz) returns integer
    language sql immutable parallel safe
as $$ select case when at is null then null else greatest(-2147483648, least(2147483647,
    floor(date_part('epoch', at - timestamptz '1970-01-01 00:00:00+00') / 60)))::integer end $$;

-- Read backwards it is newest first. New rows come at the end of their concept's, which keeps
-- the pages full. The value's bounds are coarse: what is found is compared on the row.
create index resource_coded on resource (concept, resource_minute(at_end) nulls first,
    ((spans[2] >> 32)::integer), ((spans[3] >> 32)::integer)) where concept is not null;

-- Since when rows are written with an entry of a kind; those from before get it by a reindex.
create table index_since (
    entry text primary key,
    at timestamptz not null
);
insert into index_since select 'concept',
    case when exists (select from resource) then clock_timestamp() else '-infinity' end;
"""


def upgrade() -> None:
    """Make room for concepts; rows that are there get theirs by ``healthhub store reindex``."""
    op.execute(TABLES)
