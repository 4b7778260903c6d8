"""Revision 0023: clients that sign for short-lived tokens, bound to a source and by scopes."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

CLIENT = """
alter table client
    alter column token drop not null,
    add column scopes text[],
    add column source text,
    add column jwks jsonb,
    add column jwks_url text,
    add constraint client_is_known_by_something
        check (token is not null or jwks is not null or jwks_url is not null);
comment on column client.scopes is 'What it may have at most; null: what its roles allow';
comment on column client.jwks is 'Public keys that it signs with (RFC 7517)';
"""

TOKENS = """
create table access_token (
    token bytea primary key,
    client bigint not null references client on delete cascade,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index on access_token (client);
create index on access_token (expires_at);
comment on column access_token.token is 'SHA-256 of the token; the token is nowhere stored';
create table used_assertion (
    client bigint not null references client on delete cascade,
    jti bytea not null,
    expires_at timestamptz not null,
    primary key (client, jti)
);
create index on used_assertion (expires_at);
comment on table used_assertion is
    'Assertions that were taken (SHA-256 of jti), until they expire: none is taken twice';
"""


def upgrade() -> None:
    """Widen the table of clients, and create those of their tokens."""
    op.execute(CLIENT)
    op.execute(TOKENS)
