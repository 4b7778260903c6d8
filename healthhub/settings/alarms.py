"""Settings of alarms: when a source counts as silent or bad, and who is told."""

from __future__ import annotations

import base64
import binascii
from datetime import date
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from healthhub.errors import SettingError
from healthhub.settings.section import Name, Section

_PREFIX = "whsec_"


class Hook(Section):
    """An address that is told of alarms: [alarms.hooks.NAME]."""

    url: SecretStr = Field(description="Address that each alarm is posted to, as JSON.")
    secret_file: Path = Field(
        description="File with the secret that signs what is sent: any text, or whsec_ and "
        "base64 (Standard Webhooks)."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of authorities that its certificate may be from."
    )
    language: str = Field(
        default="zh", pattern="^(zh|en)$", description="Language of the text that is sent."
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("a hook's url begins with https:// or http://")
        return url

    @property
    def secret(self) -> bytes:
        """The key of the signature."""
        try:
            text = self.secret_file.read_text(encoding="utf-8").strip()
            if text.startswith(_PREFIX):
                return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except OSError as error:
            raise SettingError(
                f"secret_file: {self.secret_file} cannot be read ({error.strerror})",
                expression="alarms.hooks",
            ) from None
        except binascii.Error:
            raise SettingError(
                f"secret_file: what follows whsec_ in {self.secret_file} is no base64",
                expression="alarms.hooks",
            ) from None
        if not text:
            raise SettingError(
                f"secret_file: {self.secret_file} is empty", expression="alarms.hooks"
            )
        return text.encode()


class Alarms(Section):
    """Alarms of sources and of the hub."""

    look_seconds: float = Field(default=20, gt=0, description="Pause between two looks.")
    learn_weeks: int = Field(
        default=6, ge=2, le=52, description="Weeks that a source's rhythm is learned from."
    )
    quiet_days: tuple[date, ...] = Field(
        default=(),
        description="Days on which nobody is expected to send, e.g. [2026-10-01]; an explicit "
        "silent_minutes still counts.",
    )
    calm_minutes: float = Field(
        default=5, ge=0, description="Time for which all is well before an alarm closes."
    )
    backlog_minutes: float = Field(
        default=30, gt=0, description="A message that waits longer to be processed is an alarm."
    )
    give_up_hours: float = Field(
        default=72, gt=0, description="Time for which a hook that fails is tried again."
    )
    hooks: dict[Name, Hook] = Field(default={}, description="Who is told.")


class SourceAlarms(Section):
    """When this source is silent or bad: [sources.NAME.alarms]."""

    silent_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Longest time without a message; none: learned from the source's weeks.",
    )
    learned: bool = Field(
        default=True, description="False: no alarm from what was learned of its rhythm."
    )
    failed_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of the last two hours' messages parked or rejected that is an "
        "alarm; three times its own usual share where that is more.",
    )
    flawed_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="By how much the share of incomplete, nonconforming, inconsistent or late "
        "messages may exceed the source's usual one within a day.",
    )
