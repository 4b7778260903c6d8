"""healthhub map: check, test, try and explain mappings, and see what they cover."""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from healthhub import settings
from healthhub.adapter_api import find
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert import Converter, Explained, coverage
from healthhub.convert.samples import (
    RECEIVED,
    VIEWS,
    Sample,
    SampleSource,
    differences,
    outcome,
    raws,
    samples,
    summary,
)
from healthhub.convert.sheets import Refused
from healthhub.drafting import folder, tables
from healthhub.drafting.compare import compare
from healthhub.errors import HubError, MappingError
from healthhub.mapping import checks
from healthhub.mapping.functions import table
from healthhub.mapping.library import Library
from healthhub.mapping.yaml_file import SCHEMA

HELP = "check, test, try and explain mappings"
WIDEST = 60


def configure(parser: argparse.ArgumentParser) -> None:
    """The subcommands."""
    parser.add_argument(
        "--mappings", type=Path, help="mappings folder (else from the settings)"
    )
    commands = parser.add_subparsers(dest="action", required=True)
    check = commands.add_parser("check", help="load mappings and check them against FHIR R4")
    check.add_argument("name", nargs="*", help="mappings; none: all")
    test = commands.add_parser("test", help="run a mapping's samples")
    test.add_argument("name", nargs="*")
    test.add_argument("--all", action="store_true", help="all mappings")
    test.add_argument("--accept", action="store_true", help="rewrite the expected outcomes")
    drafts = commands.add_parser("draft", help="propose rules from a mapping's samples")
    drafts.add_argument("name")
    drafts.add_argument("--again", action="store_true", help="write an earlier draft over")
    drafts.add_argument(
        "--compare",
        action="store_true",
        help="write nothing: say how much of the rules it finds",
    )
    attempt = commands.add_parser("try", help="show each FHIR element beside its source field")
    attempt.add_argument("file", type=Path)
    attempt.add_argument("--mapping", required=True)
    attempt.add_argument(
        "--charset", help="the source's charset; else as the file's name says, else utf-8"
    )
    cover = commands.add_parser("coverage", help="what of the official tables is covered")
    cover.add_argument("name")
    cover.add_argument("--tables", type=Path, help="folder of the official v2-to-FHIR CSVs")
    cover.add_argument("--samples", action="store_true", help="list unread fields of samples")
    cover.add_argument("--messages", type=Path, nargs="*", default=[], help="further messages")
    commands.add_parser("schema", help="the JSON Schema of mapping files, for an editor")
    commands.add_parser("functions", help="the functions of the mapping language")


def run(args: argparse.Namespace) -> int:
    """Do one of them."""
    if args.action in ("functions", "schema"):
        _print(table() if args.action == "functions" else SCHEMA.read_text("utf-8").rstrip())
        return 0
    library = Library(args.mappings or settings.load().mappings_dir)
    if args.action == "check":
        return _check(library, args.name or library.names())
    if args.action == "test":
        return _test(library, library.names() if args.all else args.name, accept=args.accept)
    if args.action == "draft":
        return _draft(library, args.name, again=args.again, compared=args.compare)
    if args.action == "try":
        return _try(library, args.file, args.mapping, args.charset)
    return _coverage(library, args)


def _print(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def _wrong(library: Library, name: str) -> list[str]:
    """What is wrong with a mapping's targets; a mapping that cannot be read is raised."""
    definition = library.mapping(name).definition
    return [error.message for error in checks.targets(definition)]


def _check(library: Library, names: Sequence[str]) -> int:
    wrong = 0
    for name in names:
        try:
            problems = _wrong(library, name)
        except MappingError as error:
            problems = [error.message]
        for problem in problems:
            _print(problem)
        definition = None if problems else library.definition(name)
        if definition is not None:
            rules = sum(len(block.rules) for block in definition.resources.values())
            _print(
                f"{name} {definition.version}: {len(definition.resources)} resources, "
                f"{rules} rules, {len(definition.types)} types, {len(definition.codes)} code tables"
            )
        wrong += len(problems)
    return 1 if wrong else 0


def _test(library: Library, names: Sequence[str], *, accept: bool) -> int:
    failed = passed = 0
    if not names:
        _print("name a mapping, or give --all")
        return 2
    for name in names:
        wrong = _wrong(library, name)
        for line in wrong:
            _print(f"FAILED {line}")
        failed += len(wrong)
        for sample in samples(library, name):
            actual = outcome(library, name, sample)
            shown = sample.path.relative_to(library.folder).as_posix()
            if accept:
                sample.expected.write_bytes(actual)
                passed += 1
                _print(f"{shown}: {summary(actual)}")
                continue
            if not sample.expected.is_file():
                _print(
                    f"FAILED {shown}: it has no expected outcome; look at it with "
                    f"`healthhub map try`, then run `healthhub map test {name} --accept`"
                )
                failed += 1
                continue
            lines = list(differences(sample.expected.read_bytes(), actual))
            failed += bool(lines)
            passed += not lines
            if lines:
                _print(f"FAILED {shown}")
                for line in lines[:40]:
                    _print(f"    {line}")
    _print(f"{passed} samples {'accepted' if accept else 'passed'}, {failed} failed")
    return 1 if failed else 0


def _try(library: Library, file: Path, mapping: str, charset: str | None) -> int:
    if not file.is_file() and not (file.is_dir() and file.suffix == VIEWS):
        raise HubError(f"there is no file {file}; name one that holds messages")
    charset = charset or Sample(file).charset
    for line in _wrong(library, mapping):
        _print(f"wrong: {line}")
    converter = Converter("try", SampleSource(mapping, charset), library)
    adapter = find(library.mapping(mapping).adapter)
    messages = (
        raws(library, mapping, Sample(file))
        if isinstance(adapter, SheetReader)
        else adapter.split(file.read_bytes())
    )
    for number, raw in enumerate(messages, 1):
        if isinstance(raw, Refused):
            _print(f"rejected {raw.place}: {raw.reason}")
            continue
        converted = converter.convert(number, raw, RECEIVED)
        _print(
            f"message {number}: {adapter.envelope(raw, SampleSource(mapping, charset)).kind}, "
            f"{len(converted.drafts)} resources, mapping {converter.mapping}"
        )
        for line in explained(converter.explain(number, raw, RECEIVED)):
            _print(line)
        for merge in converted.merges:
            word = "parted from" if merge.undone else "takes in"
            _print(f"Patient/{merge.kept} {word} Patient/{merge.replaced}")
        for finding in converted.findings:
            _print(
                f"{finding.severity} {finding.code} {finding.where}: {finding.detail} "
                f"{finding.value!r} {finding.rule}"
            )
    return 0


def explained(elements: Iterable[Explained]) -> Iterable[str]:
    """A table: element, value, source fields, rule; resource by resource."""
    resource = ""
    for each in elements:
        if each.resource != resource:
            resource = each.resource
            yield ""
            yield resource
        value = " ".join(str(each.value).split())
        source = ", ".join(each.paths) or "(constant)"
        yield f"  {_pad(each.element, 46)} {_pad(value, 34)} {_pad(source, 30)} {each.rule}"


def _draft(library: Library, name: str, *, again: bool, compared: bool) -> int:
    if compared:
        found = tables.draft(folder.read(library, name))
        for which, sure in (("stands", True), ("stands or is likely", False)):
            seen = compare(found, library.definition(name), sure=sure)
            _print(
                f"{name}, what {which}: {len(seen.both)} of "
                f"{len(seen.both) + len(seen.missing)} hand-written (column, element) proposed "
                f"({seen.found:.0%}); {len(seen.other)} others proposed ({seen.right:.0%} right)"
            )
        return 0
    files, said = folder.draft(library, name, again=again)
    for line in said:
        _print(line)
    for file in files:
        _print(f"written: {file}")
    _print(
        f"read it, then name it in mapping.yaml (include: [{folder.DRAFT}]) and: "
        f"healthhub map check {name}; map test {name} --accept; map coverage {name} --samples"
    )
    return 0


def _pad(text: str, width: int) -> str:
    """Text of a width on the screen, where a Chinese character takes two columns."""
    shown, used = "", 0
    for char in text:
        wide = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used + wide > width:
            return shown[:-1] + "…" if used >= width else shown + "…"
        shown, used = shown + char, used + wide
    return shown + " " * (width - used)


def _coverage(library: Library, args: argparse.Namespace) -> int:
    definition = library.definition(args.name)
    library.mapping(args.name)
    if args.tables is not None:
        for title, rows in (
            ("segment maps", coverage.segments(definition, args.tables)),
            ("message maps", coverage.messages(definition, args.tables)),
        ):
            total, covered = sum(r.fields for r in rows), sum(r.covered for r in rows)
            elsewhere = sum(len(r.elsewhere) for r in rows)
            _print(f"{title}: {covered} of {total} covered, {elsewhere} more read elsewhere")
            for row in rows:
                line = f"  {row.map:<34} {row.covered:>3}/{row.fields:<3}"
                if row.elsewhere:
                    line += f" elsewhere: {' '.join(row.elsewhere)}"
                if row.missing:
                    line += f" missing: {' '.join(row.missing)}"
                _print(line)
    if args.samples or args.messages or args.tables is None:
        found = [*samples(library, args.name), *(Sample(path) for path in args.messages)]
        rows_unread = coverage.unread(library, args.name, found)
        _print(f"{len(found)} messages; fields that they fill and no rule reads:")
        for each in rows_unread:
            name = (
                f"{each.segment}-{each.name}"
                if each.field
                else each.segment
                if each.segment.startswith("/")
                else f"{each.segment} (all of it)"
            )
            _print(f"  {name:<20} in {each.samples} messages: {' '.join(each.kinds)}")
    return 0
