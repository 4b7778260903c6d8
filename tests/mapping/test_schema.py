"""The published schema takes all mappings of the repository and refuses what is no mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from small_mapping import REAL

from healthhub import cli
from healthhub.mapping.yaml_file import SCHEMA, load

PUBLISHED: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
VALIDATOR: Any = Draft202012Validator(PUBLISHED)
FILES = sorted(
    path for path in REAL.rglob("*.yaml") if (path.parent / "mapping.yaml").is_file()
)


def test_the_schema_is_one_and_the_command_prints_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Draft202012Validator.check_schema(PUBLISHED)
    assert cli.main(["map", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == PUBLISHED


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(REAL).as_posix())
def test_each_mapping_file_is_what_the_schema_says(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(load(path, REAL).plain())) == []


@pytest.mark.parametrize(
    "text",
    [
        "resource: {}",
        "resources: [patient]",
        "resources: {p: {types: Patient}}",
        "resources: {p: {type: patient}}",
        "resources: {p: {rules: {gender: PID-8}}}",
        "resources: {p: {rules: [gender PID-8]}}",
        "resources: {p: {rules: [{gender: PID-8}]}}",
        "resources: {p: {key: number}}",
        "resources: {p: {scope: all}}",
        "resources: {p: {optional: maybe}}",
        "resources: {p: {'on': ADT}}",
        "resources: {p: {'on': [ADT_A01]}}",
        "groups: {g: {anchors: PID}}",
        "groups: {g: {anchors: [pid]}}",
        "groups: {g: {segments: [PID]}}",
        "names: {Visit: PV1-19}",
        "names: {visit: [PV1-19]}",
        "types: {T: {make: HumanName}}",
        "codes: {sex: {map: [M]}}",
        "codes: {sex: {file: sex.xlsx}}",
        "codes: {sex: {replace: 1}}",
        "merges: {each: patient}",
        "merges: [{'on': [ADT^A40], kept: [number]}]",
        "include: more.yaml",
        "include: [more.csv]",
        "mapping: Hospital X",
        "version: 1.5",
    ],
)
def test_the_schema_refuses(text: str) -> None:
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
