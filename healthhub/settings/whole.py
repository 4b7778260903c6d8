"""The whole of the settings: what stands at the top of the file, and every table under it."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from healthhub.errors import SettingError
from healthhub.settings.alarms import Alarms
from healthhub.settings.parts import Bulk, Mllp, Oauth, Pipeline, Subscriptions, Web
from healthhub.settings.section import Name
from healthhub.settings.sources import Institution, Source

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
PREFIX = "HEALTHHUB_"
FILE_VARIABLE = "HEALTHHUB_SETTINGS"
DEFAULT_FILE = "healthhub.toml"


class Settings(BaseSettings):
    """The whole of healthhub.toml. A variable HEALTHHUB_WEB__PORT overrides web.port."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
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
    oauth: Oauth = Oauth()
    mllp: Mllp = Mllp()
    pipeline: Pipeline = Pipeline()
    bulk: Bulk = Bulk()
    subscriptions: Subscriptions = Subscriptions()
    alarms: Alarms = Alarms()
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
