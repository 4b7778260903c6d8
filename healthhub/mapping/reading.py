"""Turns a mapping's files into a definition, taking in what it extends."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from healthhub.adapter_api import paths
from healthhub.errors import MappingError
from healthhub.mapping import grammar, solved
from healthhub.mapping.columns import numbered, table
from healthhub.mapping.definition import (
    Block,
    Code,
    CodeTable,
    DataType,
    Definition,
    Group,
    MergeRule,
    Named,
    Remark,
    Rule,
)
from healthhub.mapping.expressions import Condition
from healthhub.mapping.place import located, wrong
from healthhub.mapping.taking import taken
from healthhub.mapping.yaml_file import Item, load

T = TypeVar("T")


def read(root: Path, name: str, base: Callable[[str], Definition]) -> Definition:
    """The definition of the mapping ``name`` under ``root``; ``base`` gives what it extends."""
    folder = root / name
    head = load(folder / "mapping.yaml", root)
    stated = head.get("mapping")
    if stated is None or stated.text != name:
        raise wrong(head.where, f"begin with: mapping: {name} (the name of its folder)")
    version = head.get("version")
    if version is None:
        raise wrong(head.where, 'the version is missing; add: version: "1.0"')
    extends = head.get("extends")
    if extends is None:
        definition = Definition(name, head.where, version.text)
    else:
        definition = _base(extends, base)
    title, adapter = head.get("title"), head.get("adapter")
    definition = replace(
        definition,
        name=name,
        where=head.where,
        version=version.text,
        title=title.text if title else "",
        adapter=adapter.text if adapter else definition.adapter,
        extends=extends.text if extends else "",
    )
    include = head.get("include")
    for part in include.list() if include else []:
        if not (folder / part.text).is_file():
            raise wrong(part.where, f"the file {part.text} is not in the mapping's folder")
        definition = _extend(definition, load(folder / part.text, root), folder)
    return solved.fill(numbered(_extend(definition, head, folder)), folder)


def _base(extends: Item, base: Callable[[str], Definition]) -> Definition:
    try:
        return base(extends.text)
    except MappingError as error:
        raise located(error, extends.where, f"extends: {extends.text}") from None


def _extend(base: Definition, layer: Item, folder: Path) -> Definition:
    """``base`` with the sections of one file laid over it."""
    stated, remarks = layer.get("merges"), layer.get("remarks")
    return replace(
        base,
        tables=_laid(base.tables, layer.get("tables"), table),
        groups=_laid(base.groups, layer.get("groups"), _group),
        names=_laid(base.names, layer.get("names"), lambda _, __, item: _named(item)),
        types=_laid(base.types, layer.get("types"), _type),
        codes=_laid(
            base.codes,
            layer.get("codes"),
            lambda old, key, item: _table(old, key, item, folder),
        ),
        resources=_laid(base.resources, layer.get("resources"), _block),
        merges=tuple(_merge(item) for item in stated.list()) if stated else base.merges,
        remarks=tuple(map(_remark, remarks.list())) if remarks else base.remarks,
        take=_laid(base.take, layer.get("take"), taken),
    )


def _laid(
    base: dict[str, T], section: Item | None, make: Callable[[T | None, str, Item], T]
) -> dict[str, T]:
    """A section's entries laid over the base's; ``none`` removes one."""
    result = dict(base)
    for key, item in section.items() if section else []:
        if item.value != "none":
            result[key] = make(result.get(key), key, item)
        elif key in result:
            del result[key]
        else:
            raise wrong(item.where, f"{key!r} is not in the base, so it cannot be removed")
    return result


def _words(item: Item | None) -> tuple[str, ...]:
    return tuple(part.text for part in item.list()) if item else ()


def _parsed(item: Item, parse: Callable[[str], T]) -> T:
    try:
        return parse(item.text)
    except MappingError as error:
        raise wrong(item.where, error.message, item.text) from None


def _named(item: Item) -> Named:
    text = item.text
    if isinstance(item.value, str):
        return Named(item.where, text, _parsed(item, grammar.expression))
    return Named(item.where, text, _parsed(Item(text, item.where), grammar.expression))


def _named_list(item: Item | None) -> tuple[Named, ...]:
    return tuple(_named(part) for part in item.list()) if item else ()


def _condition(item: Item | None, base: Condition | None) -> Condition | None:
    return _parsed(item, grammar.condition) if item else base


def _rules(item: Item | None, base: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The base's rules without the targets that the file states, then the file's own."""
    if item is None:
        return base
    own: list[Rule] = []
    for part in item.list():
        target, value = _parsed(part, grammar.rule)
        own.append(Rule(part.where, " ".join(part.text.split()), target, value))
    stated = {rule.target.text for rule in own}
    known = {rule.target.text for rule in base}
    for rule in own:
        if rule.value is None and rule.target.text not in known:
            raise wrong(rule.where, "the base has no such target to remove", rule.text)
    kept = [rule for rule in base if rule.target.text not in stated]
    return (*kept, *(rule for rule in own if rule.value is not None))


def _group(base: Group | None, name: str, item: Item) -> Group:
    base = base or Group(name, item.where)
    within, on = item.get("in"), item.get("on")

    def added(before: tuple[str, ...], key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*before, *_words(item.get(key)))))

    return replace(
        base,
        where=item.where,
        anchors=added(base.anchors, "anchors"),
        once=added(base.once, "once"),
        members=added(base.members, "members"),
        loose=added(base.loose, "loose"),
        afresh=added(base.afresh, "afresh"),
        within=_words(within) if within else base.within,
        on=_words(on) if on else base.on,
        paths=tuple(dict.fromkeys((*base.paths, *_paths(item.get("path"))))),
    )


def _paths(item: Item | None) -> tuple[int, ...]:
    """The paths of a group of elements: one, or a list."""
    if item is None:
        return ()
    parts = item.list() if isinstance(item.value, list) else [item]
    return tuple(_parsed(part, paths.number) for part in parts)


def _type(base: DataType | None, name: str, item: Item) -> DataType:
    base = base or DataType(name, item.where)
    makes, parameters, value = item.get("makes"), item.get("parameters"), item.get("value")
    result = replace(
        base,
        where=item.where,
        makes=makes.text if makes else base.makes,
        parameters=_words(parameters) if parameters else base.parameters,
        when=_condition(item.get("when"), base.when),
        value=_named(value) if value else base.value,
        rules=_rules(item.get("rules"), base.rules),
    )
    if (result.value is None) == (not result.rules):
        raise wrong(item.where, f"the type {name} needs either rules or a value")
    return result


def _table(base: CodeTable | None, name: str, item: Item, folder: Path) -> CodeTable:
    base = base or CodeTable(name, item.where)
    system, source, default = item.get("system"), item.get("from"), item.get("default")
    afresh = item.get("replace")
    entries = {} if afresh and afresh.value is True else dict(base.entries)
    file = item.get("file")
    if file is not None:
        entries |= _code_file(file, folder)
    codes = item.get("map")
    for key, target in codes.items() if codes else []:
        entries[key] = _code(target)
    return replace(
        base,
        where=item.where,
        system=system.text if system else base.system,
        source_system=source.text if source else base.source_system,
        default=_code(default) if default else base.default,
        entries=entries,
    )


def _code(item: Item) -> Code:
    if item.text == "none":
        return Code("")
    parts = [part.strip() for part in item.text.split("|")]
    if not parts[0] or len(parts) > 3:
        raise wrong(item.where, f"the target {item.text!r} is no code|display|system")
    code, display, system = (*parts, "", "")[:3]
    return Code(code, display, system)


def _code_file(item: Item, folder: Path) -> dict[str, Code]:
    path = folder / item.text
    if not path.is_file():
        raise wrong(item.where, f"the file {item.text} is not in the mapping's folder")
    entries: dict[str, Code] = {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            if "source" not in row or "code" not in row:
                raise wrong(
                    item.where, f"{item.text} must have the header source,code,display,system"
                )
            code = (row["code"] or "").strip()
            if not code:
                continue  # listed, and not mapped yet: unknown, not "none"
            entries[(row["source"] or "").strip()] = Code(
                "" if code == "none" else code,
                (row.get("display") or "").strip(),
                (row.get("system") or "").strip(),
            )
    return entries


def _block(base: Block | None, name: str, item: Item) -> Block:
    base = base or Block(name, item.where)
    kind, each, on, other = (item.get(key) for key in ("type", "each", "on", "except"))
    key, at, authority = item.get("key"), item.get("at"), item.get("authority")
    scope, optional = item.get("scope"), item.get("optional")
    result = replace(
        base,
        where=item.where,
        type=kind.text if kind else base.type,
        each=_each(each) if each else base.each,
        on=_words(on) if on else base.on,
        excluded=_words(other) if other else base.excluded,
        when=_condition(item.get("when"), base.when),
        key=_named_list(key) if key else base.key,
        at=_named(at) if at else base.at,
        authority=_named(authority) if authority else base.authority,
        shared=scope.text == "shared" if scope else base.shared,
        optional=optional.value is True if optional else base.optional,
        rules=_rules(item.get("rules"), base.rules),
    )
    for needed, there in (("type", result.type), ("key", result.key)):
        if not there:
            raise wrong(item.where, f"the resource {name} needs a {needed}")
    return result


def _each(item: Item) -> Any:
    if isinstance(item.value, list):
        return tuple(_parsed(part, grammar.path) for part in item.value)
    if "-" in item.text or "/" in item.text:
        return (_parsed(item, grammar.path),)
    return item.text


def _remark(item: Item) -> Remark:
    each, at, say = item.get("each"), item.get("at"), item.get("say")
    if at is None or say is None:
        raise wrong(item.where, "a remark needs at (the field) and say (the sentence)")
    return Remark(
        where=item.where,
        on=_words(item.get("on")),
        each=each.text if each else "message",
        at=_parsed(at, grammar.path),
        say=" ".join(say.text.split()),
        when=_condition(item.get("when"), None),
    )


def _merge(item: Item) -> MergeRule:
    each, undone, pairs = item.get("each"), item.get("undone"), item.get("pairs")
    return MergeRule(
        where=item.where,
        on=_words(item.get("on")),
        each=each.text if each else "message",
        kept=_named_list(item.get("kept")),
        replaced=_named_list(item.get("replaced")),
        when=_condition(item.get("when"), None),
        undone=undone is not None and undone.value is True,
        pairs=pairs is not None and pairs.value is True,
    )
