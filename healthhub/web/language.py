"""Languages of the pages: one translation file, Chinese first, English one click away."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from starlette.requests import Request

from healthhub.errors import SettingError

LANGUAGES = ("zh", "en")
TAGS = {"zh": "zh-CN", "en": "en"}
"""BCP 47 tags for the ``lang`` attribute."""
COOKIE = "healthhub_language"
FILE = Path(__file__).parent / "translations.toml"


def flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, dict[str, str]]:
    """``section.key`` to its text in each language; a leaf is a table with zh and en."""
    flat: dict[str, dict[str, str]] = {}
    for key, value in tree.items():
        if not isinstance(value, dict):
            raise SettingError(f"translations.toml: {prefix}{key} needs both zh and en")
        if set(value) == set(LANGUAGES):
            flat[prefix + key] = value
        else:
            flat.update(flatten(value, f"{prefix}{key}."))
    return flat


@lru_cache(maxsize=1)
def translations() -> dict[str, dict[str, str]]:
    """Every string of every page, read once."""
    return flatten(tomllib.loads(FILE.read_text(encoding="utf-8")))


class Coded(Protocol):
    """What has codes, and a label when none of them is known."""

    def codes(self) -> Iterable[str]:
        """All codes."""
        ...

    def label(self, language: str) -> str:
        """Its own name."""
        ...


class Translator:
    """Gives the strings of one language. An unknown key is a bug and raises KeyError."""

    __slots__ = ("_texts", "language", "tag")

    def __init__(self, language: str) -> None:
        self.language = language
        self.tag = TAGS[language]
        self._texts = {key: texts[language] for key, texts in translations().items()}

    def __call__(self, key: str, **values: object) -> str:
        text = self._texts[key]
        return text.format(**values) if values else text

    def coded(self, prefix: str, concept: Coded) -> str:
        """The file's text for the first code of a concept that it knows, else its own label."""
        for code in concept.codes():
            text = self._texts.get(f"{prefix}.{code}")
            if text is not None:
                return text
        return concept.label(self.language)

    def known(self, prefix: str, code: str) -> str:
        """The text of a code, or the code itself where the file has none."""
        return self._texts.get(f"{prefix}.{code}", code)


@lru_cache(maxsize=len(LANGUAGES))
def translator(language: str) -> Translator:
    """The translator of a language, built once."""
    return Translator(language)


def chosen(request: Request) -> str:
    """The reader's language: the address's ``lang``, else the cookie, else the setting."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wanted in LANGUAGES:
            return wanted
    settings = getattr(request.app.state, "settings", None)
    return settings.language if settings is not None else LANGUAGES[0]
