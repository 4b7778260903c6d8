"""Settings of the systems that send, of their databases and folders, and of whose they are."""

from __future__ import annotations

import codecs
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from healthhub.errors import SettingError
from healthhub.settings.alarms import SourceAlarms
from healthhub.settings.section import Name, Section


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


class Pacs(Section):
    """The archive that holds a source's images: [sources.NAME.pacs]."""

    url: str = Field(
        pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$",
        description="WADO-RS base address at which the hub reaches it, e.g. "
        "http://pacs.local:8042/dicom-web. Nobody else is shown it.",
    )
    address: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@\s]+(/[^?#\s]*)?)?$",
        description="Base address in the Endpoint that FHIR clients read: the hub's own "
        "(https://HUB/dicomweb/NAME), or the archive's where clients may reach it. "
        "Empty: no Endpoint is made.",
    )
    user: str = Field(default="", description="User name at the archive (Basic).")
    secret_file: Path | None = Field(
        default=None,
        description="File with the password of user, or, without a user, with a bearer token.",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of the authority that its certificate is from."
    )
    timeout_seconds: float = Field(
        default=30, gt=0, le=300, description="Time that it has for each piece of an answer."
    )
    max_bytes: int = Field(
        default=2 * 2**30, ge=1024, description="A longer answer is broken off."
    )
    at_once: int = Field(
        default=8, ge=1, le=64, description="Requests to it at a time, of each web process."
    )

    @property
    def secret(self) -> str:
        """The password or token, from its file; empty without one."""
        if self.secret_file is None:
            return ""
        try:
            return self.secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingError(
                f"pacs.secret_file: {self.secret_file} cannot be read ({error.strerror}); "
                "correct the path or the file's mode",
                expression="pacs.secret_file",
            ) from None


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
    timely: Literal["1m", "10m", "1h", "1d", "7d"] = Field(
        default="1h",
        description="Time after the event within which its message should come: 1m, 10m, 1h, "
        "1d or 7d; what comes later costs it timeliness in the console.",
    )
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
    max_message_bytes: int = Field(
        default=64 * 2**20,
        ge=1024,
        description="A longer message (a DICOM object, a document) is refused.",
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
    alarms: SourceAlarms = SourceAlarms()
    database: Database | None = Field(
        default=None, description="Views to read, see [sources.NAME.database]."
    )
    folder: Folder | None = Field(
        default=None, description="Folder to watch, see [sources.NAME.folder]."
    )

    pacs: Pacs | None = Field(
        default=None, description="Archive of its images, see [sources.NAME.pacs]."
    )

    @property
    def endpoint(self) -> str:
        """Public base address of its images, without a slash at its end; empty without one."""
        return self.pacs.address.rstrip("/") if self.pacs else ""

    @model_validator(mode="after")
    def _tables_are_read_by_their_adapter(self) -> Source:
        if self.database and self.adapter != "tabular":
            raise ValueError('a source with a database needs adapter = "tabular"')
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
    kind: str = Field(
        default="hospital",
        description="hospital, township, village, public; supply: it sends nothing about residents.",
    )
