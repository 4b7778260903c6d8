"""Reads a YAML file with the line of everything in it, and checks it against the schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from jsonschema import Draft202012Validator

from healthhub.mapping import advice
from healthhub.mapping.place import Where, wrong

Plain = str | int | bool | None
SCHEMA = Path(__file__).with_name("mapping.schema.json")


@dataclass(frozen=True, slots=True)
class Item:
    """A YAML value and its line. Keys are always text; so ``on`` and ``1`` are what they say."""

    value: Plain | list[Item] | dict[str, Item]
    where: Where

    def get(self, key: str) -> Item | None:
        """An entry of a table."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> list[tuple[str, Item]]:
        """The entries of a table; none if it is no table."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def list(self) -> list[Item]:
        """The items of a list; a single value counts as a list of one."""
        if isinstance(self.value, list):
            return self.value
        return [] if self.value is None else [self]

    @property
    def text(self) -> str:
        """A scalar as it was written."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return "" if self.value is None else str(cast(Any, self.value))

    def plain(self) -> Any:
        """The value as JSON would have it."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


def load(path: Path, root: Path) -> Item:
    """Read and check a mapping file; MappingError names file and line."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    text = _text(path, shown)
    try:
        node = _composed(text)
    except yaml.YAMLError as error:
        line, says = advice.of_yaml(error, text)
        raise wrong(Where(shown, line), says) from None
    if node is None:
        raise wrong(Where(shown, 1), "the file is empty; begin with: mapping: NAME")
    item = _item(node, shown)
    _check(item)
    return item


def _composed(text: str) -> yaml.Node | None:
    """libyaml reads ten times as fast; what is wrong is told in the words of Python's own."""
    try:
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)


def _text(path: Path, shown: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError:
        raise wrong(
            Where(shown, 1), "the file cannot be read; create it or correct its name"
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise wrong(Where(shown, line), "the file is not in UTF-8; save it as UTF-8") from None


def _item(node: Any, file: str, key: Any = None) -> Item:
    """A node with its line: that of its key, if it has one."""
    where = Where(file, int((key or node).start_mark.line) + 1)
    if isinstance(node, yaml.MappingNode):
        table: dict[str, Item] = {}
        for named, value in node.value:
            name = str(named.value)
            if name in table:
                line = int(named.start_mark.line) + 1
                raise wrong(Where(file, line), f"{name!r} stands here twice; keep one of them")
            table[name] = _item(value, file, named)
        return Item(table, where)
    if isinstance(node, yaml.SequenceNode):
        return Item([_item(part, file) for part in node.value], where)
    return Item(_scalar(node), where)


def _scalar(node: Any) -> Plain:
    text = str(node.value)
    if node.style:  # libyaml says an empty one of a plain scalar
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() and (text == "0" or text[0] != "0") else text


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _check(item: Item) -> None:
    validator: Any = _validator()
    error = next(iter(sorted(validator.iter_errors(item.plain()), key=_depth)), None)
    if error is None:
        return
    while error.context:
        error = max(
            error.context, key=lambda inner: (inner.validator != "const", -_depth(inner)[0])
        )
    at = item
    for step in error.absolute_path:
        inner = at.value
        if isinstance(inner, dict):
            at = inner[str(step)]
        elif isinstance(inner, list):
            at = inner[int(step)]
    key, says = advice.of_schema(error)
    inner = at.get(key) if key is not None else None
    place = ".".join(str(step) for step in error.absolute_path)
    shown = f"{place}: {says}" if place else says
    raise wrong((inner or at).where, f"{shown}; see docs/mapping-language.md")


def _depth(error: Any) -> tuple[int, str]:
    return -len(error.absolute_path), str(error.message)
