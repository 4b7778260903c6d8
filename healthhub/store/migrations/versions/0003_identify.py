"""Revision 0003: person links."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
create table patient_identity (
    patient_key uuid primary key,
    number text,
    names text[] not null default '{}',
    birth date,
    known boolean not null,
    nameless boolean not null default false
);
create index on patient_identity (number) where number is not null;
comment on table patient_identity is
    'What of a source patient bears on who it is; written with the Patient itself';
comment on column patient_identity.known is
    'false: only named by a merge so far, or deleted';

create table identity_number (number text primary key);
comment on table identity_number is
    'One row for each number: locked while the persons who bear it are decided';

create table patient_pair (
    kept uuid not null,
    replaced uuid not null,
    rule text not null,
    undone boolean not null,
    authority smallint not null,
    at timestamptz not null,
    message bigint not null,
    primary key (kept, replaced, rule)
);
create index on patient_pair (replaced);
comment on table patient_pair is
    'Statements that two source patients are one (A40) or no longer so; the last one counts';

create table person (
    person_key uuid primary key,
    successor uuid,
    dissolved boolean not null default false,
    made_at timestamptz not null default now()
);
comment on table person is 'Persons that have or had a golden Patient';

create table person_link (
    patient_key uuid primary key,
    person_key uuid not null,
    rule text not null,
    evidence jsonb not null,
    model text not null,
    decided_by text not null,
    decided_at timestamptz not null default now()
);
create index on person_link (person_key);

create table person_decision (
    id bigint generated always as identity primary key,
    patient_key uuid not null,
    person_before uuid,
    person_after uuid not null,
    rule text not null,
    evidence jsonb not null,
    model text not null,
    decided_by text not null,
    decided_at timestamptz not null default now()
);
create index on person_decision (patient_key);
comment on table person_decision is 'Lineage: each change of person_link, never changed itself';
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
