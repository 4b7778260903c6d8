"""Reading the settings at start: what is wrong is named, and nothing is passed over."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from healthhub.errors import SettingError
from healthhub.settings.whole import DEFAULT_FILE, FILE_VARIABLE, PREFIX, Settings

NOT_OURS = ("HEALTHHUB_TEST_", "HEALTHHUB_CHROMIUM")
"""Variables of the test runs, which may stand in the environment of a hub under test."""


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
