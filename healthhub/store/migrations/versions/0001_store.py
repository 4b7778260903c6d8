"""Revision 0001: FHIR resources, their history and search indexes."""

from alembic import op
from sqlalchemy import text

from healthhub.store import dictionary

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
-- What bodies are packed with; a packed body names its dictionary by number.
create table body_dictionary (content bytea not null);

-- The current version of each resource. The row's stamp (authority, event_at, message) is the
-- greatest of its statements; stamps holds those of elements that differ.
create table resource (
    patient_key uuid not null,      -- the source patient, never the golden one; 0 for shared rows
    id uuid not null,
    event_at timestamptz not null,
    message bigint not null,
    updated timestamptz not null,
    at_start timestamptz,           -- clinical date, both ends; an open end is far away
    at_end timestamptz,
    present bigint not null,        -- which search parameters have a value
    version integer not null,
    type smallint not null,
    authority smallint not null,
    deleted boolean not null,
    tokens bigint[] not null,       -- hashes of codes, references and exact strings
    spans bigint[],                 -- other dates, numbers, quantities: key, first, last
    stamps bytea,
    body bytea not null,            -- wire JSON, packed
    primary key (patient_key, type, id)
) with (fillfactor = 95);
alter table resource alter column body set storage external;
-- The directory of ids: the one index that does not lead with the patient.
create unique index resource_id on resource (type, id);
-- Without fastupdate: no reader pays for a list of pending entries, and the index stays small.
create index resource_tokens on resource using gin (tokens) with (fastupdate = off);

-- By clinical date: the newest of a whole population, or those within a time.
create index resource_at on resource (type, at_end desc nulls last);

create table resource_history (
    patient_key uuid not null,
    id uuid not null,
    updated timestamptz not null,
    message bigint not null,
    version integer not null,
    type smallint not null,
    deleted boolean not null,
    body bytea not null,
    primary key (patient_key, type, id, version)
);
alter table resource_history alter column body set storage external;

create table resource_identifier (
    hash bigint not null,           -- of type and value
    system bigint not null,         -- hash of the system
    kind bigint,                    -- hash of a coding of the identifier's type
    patient_key uuid not null,
    id uuid not null
);
create index resource_identifier_hash on resource_identifier (hash);

-- Names, phones and addresses, normalised for search.
create table resource_text (
    patient_key uuid not null,
    id uuid not null,
    type smallint not null,
    parameter text collate "C" not null,
    value text collate "C" not null
);
create index resource_text_value on resource_text (type, parameter, value);
create index resource_text_id on resource_text (id);

-- Each word behind a token once: displays, and addresses that have a hierarchy.
create table resource_word (
    token bigint not null,
    field text collate "C" not null,
    value text collate "C" not null
);
create index resource_word_token on resource_word (token);
create index resource_word_value on resource_word (field, value);

-- Runs of `healthhub store reindex`: a killed one goes on after the ranges that are done.
create table index_run (
    id bigint generated always as identity primary key,
    started_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    finished_at timestamptz,
    ranges integer not null,
    done integer not null default 0,
    righted bigint not null default 0
);

-- The token under which a reference to a row stands; store.hashes.reference gives the same.
create function reference_token(field text, kind text, id uuid) returns bigint
    language sql immutable parallel safe strict as
$$ select ('x' || encode(substr(sha256(convert_to(
       field || chr(31) || kind || '/' || id::text, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint $$;
"""


def upgrade() -> None:
    """Create the tables, and keep the dictionaries that bodies are packed with."""
    op.execute(TABLES)
    for content in dictionary.shipped():
        op.get_bind().execute(
            text("insert into body_dictionary values (:content)"), {"content": content}
        )
