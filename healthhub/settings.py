"""All settings: one TOML file and HEALTHHUB_* variables, typed, documented, checked at start."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from healthhub.errors import SettingError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
PACKAGE_ROOT = Path(__file__).resolve().parent.parent
PREFIX = "HEALTHHUB_"
FILE_VARIABLE = "HEALTHHUB_SETTINGS"
DEFAULT_FILE = "healthhub.toml"
NOT_OURS = ("HEALTHHUB_TEST_", "HEALTHHUB_CHROMIUM")
"""Variables of the test runs, which may stand in the environment of a hub under test."""


class Section(BaseModel):
    """A table of the settings file; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Views of a source's database that the hub reads: [sources.NAME.database]."""

    url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy address, e.g. postgresql+psycopg://reader@host/his.",
    )
    url_file: Path | None = Field(
        default=None, description="File that holds url (a mounted secret)."
    )
    views: dict[str, str] = Field(
        default={},
        description="View of each table of the mapping, e.g. {PAT = 'dbo.V_PATIENT'}; "
        "none: for each table the first of its `from` that is no pattern.",
    )
    every_seconds: float = Field(default=30, gt=0, description="Pause between two polls.")
    overlap_seconds: float = Field(
        default=600,
        ge=0,
        description="What was changed so long before the last row is read again.",
    )
    overlap_numbers: int = Field(
        default=0, ge=0, description="The same where the column of change is a number."
    )
    sweep_hours: float = Field(
        default=24, gt=0, description="Pause between two readings of all rows, for late ones."
    )
    withdraw_missing: bool = Field(
        default=False,
        description="A row that a reading of all rows no longer finds counts as deleted.",
    )
    most_missing: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Share of rows gone at once that is taken for a fault.",
    )
    batch: int = Field(default=500, ge=1, le=5000, description="Rows in one transaction.")
    timeout_seconds: int = Field(
        default=60, ge=1, description="Time that a statement may take at the source."
    )

    @model_validator(mode="after")
    def _one_address(self) -> Database:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give either url_file (better) or url of the database")
        return self

    @property
    def address(self) -> str:
        """The address given, from the setting or its file."""
        if self.url_file is None:
            return self.url.get_secret_value() if self.url else ""
        try:
            return self.url_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingError(
                f"database.url_file: {self.url_file} cannot be read ({error.strerror}); "
                "correct the path or the file's mode",
                expression="database.url_file",
            ) from None


class Folder(Section):
    """A folder whose files are taken as they come: [sources.NAME.folder]."""

    path: Path = Field(description="Files in it are taken; done/ and failed/ are made in it.")
    every_seconds: float = Field(default=5, gt=0, description="Pause between two looks.")
    settle_seconds: float = Field(
        default=10, ge=0, description="A file that has not changed for so long is complete."
    )


class Source(Section):
    """One system that sends to the hub. Its name is the key of its table: [sources.NAME]."""

    institution: Name = Field(description="Code of the institution that owns the system.")
    title: str = Field(default="", description="Name shown to people, e.g. 第一人民医院 HIS.")
    adapter: str = Field(default="hl7v2", description="Adapter that reads its bytes.")
    mapping: str = Field(description="Mapping folder, e.g. national/hl7v2 or hospital-a.")
    namespace: str = Field(
        default="",
        description="Who assigns its numbers; systems that share numbers share it. "
        "Empty: the institution.",
    )
    charset: str = Field(
        default="utf-8", description="Charset of bytes that do not declare one rightly."
    )
    zone: str = Field(default="Asia/Shanghai", description="Zone of times without an offset.")
    accept_processing: tuple[str, ...] = Field(
        default=("P",),
        description="MSH-11 of messages that enter records; others (T training, D debugging) "
        "are parked. One without MSH-11 counts as P.",
    )
    addresses: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Networks that may send; empty means none but the loopback."
    )
    sender: str = Field(
        default="",
        description="MSH-3, or MSH-3|MSH-4, by which MLLP recognises it; empty: by address "
        "alone.",
    )
    token_sha256: SecretStr | None = Field(
        default=None, description="SHA-256 (hex) of the bearer token of POST /feeds/NAME/..."
    )
    client_certificate: str = Field(
        default="", description="Subject CN that its TLS client certificate must carry."
    )
    client: str = Field(
        default="",
        description="Client (healthhub client add) in whose name, and for whose purpose, its "
        "queries of persons are answered. Empty: they are refused.",
    )
    database: Database | None = Field(
        default=None, description="Views to read, see [sources.NAME.database]."
    )
    folder: Folder | None = Field(
        default=None, description="Folder to watch, see [sources.NAME.folder]."
    )

    @model_validator(mode="after")
    def _tables_are_read_by_their_adapter(self) -> Source:
        if (self.database or self.folder) and self.adapter != "tabular":
            raise ValueError('a source with a database or a folder needs adapter = "tabular"')
        return self

    @field_validator("charset")
    @classmethod
    def _charset_exists(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            raise ValueError(f"there is no charset {name!r}; use utf-8 or gb18030") from None
        return name

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            raise ValueError(f"there is no zone {name!r}; write e.g. Asia/Shanghai") from None
        return name

    @field_validator("token_sha256")
    @classmethod
    def _token_is_a_digest(cls, digest: SecretStr | None) -> SecretStr | None:
        text = digest.get_secret_value() if digest else "0" * 64
        if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
            raise ValueError(
                "give the SHA-256 of the token, 64 small hexadecimal digits: "
                "printf %s TOKEN | sha256sum"
            )
        return digest


class Institution(Section):
    """One institution: [institutions.CODE]."""

    title: str = Field(description="Its name, e.g. 江城市第一人民医院.")
    kind: str = Field(default="hospital", description="hospital, township, village, public.")


class Mllp(Section):
    """The MLLP listener."""

    host: str = Field(default="127.0.0.1", description="Address that the listener binds.")
    port: int = Field(default=2575, ge=0, le=65535, description="0 lets the system choose.")
    max_frame_bytes: int = Field(
        default=16 * 2**20, ge=1024, description="A longer message is refused."
    )
    max_connections: int = Field(
        default=1000, ge=1, description="Open at once; one more is closed at once."
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


class Settings(BaseSettings):
    """The whole of healthhub.toml. A variable HEALTHHUB_WEB__PORT overrides web.port."""

    model_config = SettingsConfigDict(
        env_prefix="HEALTHHUB_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL 15 or later; none: one is started in data_dir."
    )
    database_url_file: Path | None = Field(
        default=None, description="File that holds database_url (a mounted secret)."
    )
    data_dir: Path = Field(default=Path("data"), description="All that the hub writes to disk.")
    postgres_bin: str = Field(
        default="",
        description="Folder of the embedded server's programs, or 'wheel'; empty: the "
        "machine's, else the wheel's.",
    )
    mappings_dir: Path = Field(
        default=PACKAGE_ROOT / "mappings", description="Folder of the mappings."
    )
    port: int | None = Field(
        default=None, ge=0, le=65535, description="Short for web.port (HEALTHHUB_PORT)."
    )
    language: str = Field(default="zh", pattern="^(zh|en)$", description="Language of pages.")
    web: Web = Web()
    mllp: Mllp = Mllp()
    pipeline: Pipeline = Pipeline()
    bulk: Bulk = Bulk()
    subscriptions: Subscriptions = Subscriptions()
    institutions: dict[Name, Institution] = {}
    sources: dict[Name, Source] = {}

    @model_validator(mode="after")
    def _one_database(self) -> Settings:
        if self.database_url is not None and self.database_url_file is not None:
            raise ValueError("database_url and database_url_file are both set; keep one")
        return self

    @model_validator(mode="after")
    def _sources_name_known_institutions(self) -> Settings:
        for name, source in self.sources.items():
            if source.institution not in self.institutions:
                raise ValueError(
                    f"sources.{name}.institution: {source.institution!r} is not among "
                    "[institutions]; add it there or correct the name"
                )
        return self

    @property
    def web_port(self) -> int:
        """The port of pages and FHIR."""
        return self.web.port if self.port is None else self.port

    @property
    def dsn(self) -> str | None:
        """The database address given, from the setting or its file."""
        if self.database_url_file is not None:
            try:
                return self.database_url_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingError(
                    f"database_url_file: {self.database_url_file} cannot be read "
                    f"({error.strerror}); correct the path or the file's mode",
                    expression="database_url_file",
                ) from None
        return self.database_url.get_secret_value() if self.database_url else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then the file named by HEALTHHUB_SETTINGS."""
        path = os.environ.get(FILE_VARIABLE, DEFAULT_FILE)
        toml = TomlConfigSettingsSource(settings_cls, toml_file=path)
        return init_settings, env_settings, toml


def load(path: Path | None = None) -> Settings:
    """Read the settings; a HubError names the setting at fault and what is wrong with it."""
    if path is not None:
        os.environ[FILE_VARIABLE] = str(path)
    _file_is_there()
    _variables_are_known()
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        file = os.environ.get(FILE_VARIABLE, DEFAULT_FILE)
        raise SettingError(
            f"settings file {file} is not TOML: {error}", expression="settings"
        ) from None
    except SettingsError as error:
        # It names the table, not the variable: pydantic reads lists and tables as JSON.
        table = (re.findall(r'field "(\w+)"', str(error)) or ["?"])[0]
        given = [each for each in sorted(os.environ) if each.startswith(PREFIX + table.upper())]
        raise SettingError(
            f'one of {", ".join(given)} is not JSON; write a list as \'["a", "b"]\'',
            expression=table,
        ) from None
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in item['loc']) or 'settings'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise SettingError(
            "the settings are wrong; correct and start again:\n  " + "\n  ".join(lines),
            expression=lines[0].split(":", 1)[0],
        ) from None


def _file_is_there() -> None:
    """A settings file that is named must exist; only the default one may be absent."""
    named = os.environ.get(FILE_VARIABLE)
    if named is not None and not Path(named).is_file():
        raise SettingError(
            f"settings file {named!r} does not exist; correct --settings or {FILE_VARIABLE}",
            expression="settings",
        )


def _variables_are_known() -> None:
    """A variable with our prefix that names no setting is a slip of the pen, not to be ignored."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {FILE_VARIABLE}
    for variable in sorted(os.environ):
        if not variable.startswith(PREFIX) or variable.startswith(NOT_OURS):
            continue
        if variable.split("__", 1)[0] not in known:
            raise SettingError(
                f"{variable}: there is no such setting; `healthhub settings --reference` lists "
                "them all",
                expression=variable,
            )
