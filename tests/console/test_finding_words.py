"""Whatever can be found in a message has a name, and what to do about it, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from healthhub import errors
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.web.language import LANGUAGES, translator

ROOT = Path(__file__).resolve().parents[2] / "healthhub"
WRITTEN = re.compile(
    r"""(?:\bremark\(|Finding\(\s*"\w+",|_failed\(\s*message,)\s*["']([a-z-]+)["']"""
)
RAISED = {
    error.code
    for error in (BadMessage, errors.Unprocessable, errors.Conflict, errors.MappingError)
}
NOTED = {"rejected", "taken", "invalid"}
MENDED = {"repaired", "wrong-charset"}


def codes() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")]
    return {code for text in texts for code in WRITTEN.findall(text)} | RAISED | NOTED | MENDED


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_finding_has_a_name_and_advice(language: str) -> None:
    t = translator(language)
    assert len(codes()) > 12
    nameless = {c for c in codes() if t.known("finding", c) == c or t.known("todo", c) == c}
    assert nameless == set()
