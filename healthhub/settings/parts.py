"""Settings of the hub's own parts: MLLP, web, tokens, pipeline, bulk data, subscriptions."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from healthhub.settings.section import Section


class Mllp(Section):
    """The MLLP listener."""

    host: str = Field(default="127.0.0.1", description="Address that the listener binds.")
    port: int = Field(default=2575, ge=0, le=65535, description="0 lets the system choose.")
    max_frame_bytes: int = Field(
        default=16 * 2**20, ge=1024, description="A longer message is refused."
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        description="Open at once; one more takes the place of the oldest that has sent nothing "
        "yet, or is closed at once.",
    )
    idle_seconds: float = Field(default=600, gt=0, description="A silent connection is closed.")
    frame_seconds: float = Field(
        default=30, gt=0, description="Time from a frame's first byte to its last."
    )
    tls_certificate: Path | None = Field(default=None, description="PEM; switches TLS on.")
    tls_key: Path | None = Field(default=None, description="PEM; key of tls_certificate.")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM; a client certificate signed by it is then required."
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Mllp:
        if self.tls_certificate is None and (self.tls_key or self.tls_client_ca):
            raise ValueError(
                "tls_key or tls_client_ca is set but not tls_certificate, so connections would "
                "be in the clear; set mllp.tls_certificate too"
            )
        return self


class Web(Section):
    """Pages, FHIR and the feeds over HTTP."""

    host: str = Field(default="127.0.0.1", description="Address that the web processes bind.")
    port: int = Field(default=8080, ge=0, le=65535, description="0 lets the system choose.")
    base_url: str = Field(default="", description="Public address; empty: http://HOST:PORT.")
    processes: int = Field(
        default=1, ge=1, le=64, description="Web processes; they share one socket."
    )
    max_body_bytes: int = Field(
        default=64 * 2**20, ge=1024, description="A longer request body is refused."
    )
    max_bundle_entries: int = Field(
        default=5000, ge=1, description="A batch or transaction of more entries is refused."
    )
    session_minutes: int = Field(default=30, ge=1, description="Idle time that ends a session.")
    admins_need_code: bool = Field(
        default=False,
        description="True: an administrator signs in with a code from a phone besides the "
        "password (healthhub account code NAME), as level 3 demands.",
    )
    launch_minutes: int = Field(
        default=60,
        ge=1,
        le=720,
        description="Time after which a session ends that a hospital's system opened; idle "
        "ones end by session_minutes.",
    )
    secure_cookies: bool = Field(default=False, description="True behind TLS, as it should be.")
    proxies: tuple[str, ...] = Field(
        default=("127.0.0.1",),
        description="Addresses or networks of TLS proxies whose X-Forwarded-* is believed.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description="Origins whose scripts may call /fhir with a token, e.g. https://app.example.",
    )
    embedded_by: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may show ours in a frame, e.g. a HIS."
    )


class Oauth(Section):
    """Tokens for programs that sign for them."""

    token_seconds: int = Field(
        default=300, ge=30, le=3600, description="Time that a token is good for."
    )
    keys_from: tuple[str, ...] = Field(
        default=(),
        description="Addresses that clients' key sets may be read from: beginnings such as "
        "https://his.example/keys; none by default.",
    )
    keys_ca_file: Path | None = Field(
        default=None,
        description="PEM of authorities that those addresses' certificates are from.",
    )
    keys_timeout_seconds: float = Field(
        default=5, gt=0, le=30, description="Time that such an address has for its answer."
    )


class Pipeline(Section):
    """Workers and the queue."""

    workers: int = Field(default=1, ge=1, le=64, description="Worker processes of serve.")
    batch: int = Field(default=128, ge=1, le=2000, description="Messages in one transaction.")
    max_attempts: int = Field(default=8, ge=1, description="Then the message is parked.")
    max_backlog: int = Field(
        default=1_000_000, ge=1, description="Pending messages at which senders are put off."
    )
    raw_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which the bytes of settled messages are dropped; none: kept.",
    )


class Bulk(Section):
    """Bulk export and import."""

    jobs_per_client: int = Field(
        default=2, ge=1, description="Jobs that a client may have under way at once."
    )
    keep_hours: float = Field(
        default=24, gt=0, description="Hours after which a finished job's files are removed."
    )
    import_folder: Path | None = Field(
        default=None, description="Folder whose files $import may read by name; none: no files."
    )
    import_from: tuple[str, ...] = Field(
        default=(),
        description="Addresses that $import may read: beginnings such as https://host/path/.",
    )
    max_import_bytes: int = Field(
        default=16 * 2**30, ge=1024, description="A longer file of an import is refused."
    )


class Subscriptions(Section):
    """Deliveries to those who subscribed to changes."""

    allow: tuple[str, ...] = Field(
        default=(),
        description="Addresses that may be delivered to: beginnings such as https://host/path; "
        "none by default.",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of authorities that receivers' certificates may be from."
    )
    topics_folder: Path | None = Field(
        default=None, description="Folder of further topics (SubscriptionTopic as JSON)."
    )
    timeout_seconds: float = Field(
        default=10, gt=0, le=60, description="Time that a receiver has for an answer."
    )
    attempts: int = Field(
        default=6, ge=1, description="Failures in a row after which the status is error."
    )
    longest_pause_seconds: float = Field(
        default=600, gt=0, description="Longest time between two attempts; they never end."
    )
    at_once: int = Field(
        default=32, ge=1, le=200, description="Deliveries under way at the same time."
    )
    keep_days: int = Field(
        default=30, ge=1, description="Days for which events can be asked for again."
    )
