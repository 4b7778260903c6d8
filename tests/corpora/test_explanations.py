"""Every element of the corpora's resources is explained, by bytes that are really there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from corpora import FOLDER, RECEIVED, convert, converter

from healthhub.convert import Explained
from healthhub.settings import PACKAGE_ROOT

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the corpora are not beside the checkout"
)

PATHS = sorted([*FOLDER.glob("hl7v2-general/*.hl7"), *FOLDER.glob("hl7v2-china/*.hl7")])
PLACE = re.compile(r"(\w{3})\[(\d+)\](?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?)?")


def charset_of(path: Path) -> str:
    """The corpora tell it in the file's name."""
    return "gb18030" if ".gb18030." in path.name else "utf-8"


@cache
def explained(path: Path) -> list[Explained]:
    """All elements of a message with their bytes."""
    return converter(charset_of(path)).explain(1, path.read_bytes(), RECEIVED)


class Reader:
    """Reads a message by splitting it, knowing nothing of the adapter."""

    def __init__(self, raw: bytes, charset: str) -> None:
        text = raw.decode(charset).removeprefix("\ufeff")
        self.segments = [line for line in re.split(r"[\r\n]+", text) if line]
        self.field, self.component, self.repetition = text[3], text[4], text[5]
        self.subcomponent = text[7]

    def at(self, place: str) -> set[str]:
        """What stands at ``OBX[3]-5[2].1.1``; ``OBX[3]-5`` may be the field or its first."""
        match = PLACE.fullmatch(place)
        assert match is not None, place
        name, number, field, repetition, component, subcomponent = match.groups()
        value = [segment for segment in self.segments if segment[:3] == name][int(number) - 1]
        if field is None:
            return {value}
        if name == "MSH":
            assert int(field) > 2, "the delimiters are no source of an element"
        whole = self._part(value, self.field, int(field) - (name == "MSH"))
        value = self._part(whole, self.repetition, int(repetition or 1) - 1)
        if repetition is None and component is None:
            return {whole, value}
        for part, sign in ((component, self.component), (subcomponent, self.subcomponent)):
            if part is not None:
                value = self._part(value, sign, int(part) - 1)
        if subcomponent is None:
            return {value, value.split(self.subcomponent)[0]}
        return {value}

    @staticmethod
    def _part(value: str, sign: str, index: int) -> str:
        parts = value.split(sign)
        return parts[index] if index < len(parts) else ""


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_bytes_that_explain_an_element_stand_at_the_place_that_it_names(
    path: Path,
) -> None:
    raw, charset = path.read_bytes(), charset_of(path)
    reader = Reader(raw, charset)
    for each in explained(path):
        assert len(each.paths) == len(each.spans)
        for place, (start, end) in zip(each.paths, each.spans, strict=True):
            found = {text.strip(" \t　") for text in reader.at(place)}
            assert raw[start:end].decode(charset).strip(" \t　") in found, (each.element, place)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_each_element_that_is_made_is_explained(path: Path) -> None:
    said = {(each.resource, each.element) for each in explained(path)}
    for draft in convert(path).drafts:
        body = {k: v for k, v in draft.body.items() if k not in ("resourceType", "id", "meta")}
        for leaf in leaves(body):
            if leaf.endswith("].url"):
                continue  # of an extension: the target of its rule names it
            above = [leaf[: m.start()] for m in re.finditer(r"[.\[]", leaf)]
            resource = f"{draft.type}/{draft.id}"
            assert any((resource, at) in said for at in (leaf, *above)), (resource, leaf)


def leaves(value: object, path: str = "") -> list[str]:
    """The paths of all plain values."""
    if isinstance(value, dict):
        dot = f"{path}." if path else ""
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{dot}{key}")]
    if isinstance(value, list):
        return [leaf for n, part in enumerate(value) for leaf in leaves(part, f"{path}[{n}]")]
    return [path]


FROM_A_FIELD = re.compile(r"<- (?!.* else )(?:[A-Z][A-Z0-9]{2}-\d+|\.\d)[^ ]*( \| [^\"]*)?$")
"""A rule whose value can come from nowhere but the field that it begins with."""


@cache
def rules(file: str) -> list[str]:
    """The lines of a mapping's file."""
    return (PACKAGE_ROOT / "mappings" / file).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_what_a_rule_takes_of_a_field_is_explained_by_that_field(path: Path) -> None:
    raw, charset = path.read_bytes(), charset_of(path)
    for each in explained(path):
        file, _, line = each.rule.partition(":")
        match = FROM_A_FIELD.search(rules(file)[int(line) - 1])
        if match is None:
            continue
        assert each.spans, (each.element, rules(file)[int(line) - 1])
        if match[1] is None and len(each.spans) == 1:
            there = raw[slice(*each.spans[0])].decode(charset)
            if isinstance(each.value, str) and "\\" not in there:
                assert each.value == re.split(r"[\^&]", there)[0].strip(" \t　"), each.rule
