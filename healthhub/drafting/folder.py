"""A new source's folder of mappings, and the draft from the samples that are dropped into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from healthhub.adapter_api import BadMessage, find
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert.samples import Sample, SampleSource, samples
from healthhub.drafting import segments, sheets, tables, written
from healthhub.drafting.sheets import Found
from healthhub.drafting.tables import Drafted
from healthhub.errors import InvalidRequest, NotFound, Unprocessable
from healthhub.mapping.library import Library

BASES = {
    "hl7v2": ("hl7v2", "national/hl7v2"),
    "view": ("tabular", "national/tabular"),
    "csv": ("tabular", "national/tabular"),
    "cda": ("cda", "national/cda"),
    "hl7v3": ("hl7v3", "national/hl7v3"),
}
"""What a source may be like, beside any mapping that is there: adapter and base."""
DRAFT = "draft.yaml"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Made:
    """What ``new`` has written, and the settings that declare the source."""

    folder: Path
    settings: str


def new(library: Library, name: str, like: str, title: str) -> Made:
    """Write the folder of a new source; nothing that is there is written over."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "a source's name is small letters, digits and dashes, e.g. creek-his"
        )
    adapter, base = _like(library, like)
    folder = library.folder / name
    if folder.exists():
        raise Unprocessable(f"{folder} is there already; choose another name or work on in it")
    (folder / "samples").mkdir(parents=True)
    (folder / "mapping.yaml").write_text(
        f"# Dialect of {title}: only what differs from {base}.\n"
        f'mapping: {name}\nversion: "1"\ntitle: {title}\nextends: {base}\n',
        encoding="utf-8",
    )
    return Made(folder, _settings(name, title, adapter, like))


def _like(library: Library, like: str) -> tuple[str, str]:
    if like in BASES:
        return BASES[like]
    if like in library.names():
        return library.definition(like).adapter, like
    raise NotFound(
        f"there is nothing like {like!r}; name one of {', '.join(BASES)}, or a mapping: "
        f"{', '.join(library.names())}"
    )


def _settings(name: str, title: str, adapter: str, like: str) -> str:
    ways = {
        "view": "\n[sources.{0}.database]\nurl_file = '/run/secrets/{0}'   # postgresql+psycopg://...",
        "csv": "\n[sources.{0}.folder]\npath = '/srv/inbox/{0}'",
    }
    return (
        f'[institutions.{name}]\ntitle = "{title}"\n\n[sources.{name}]\n'
        f'institution = "{name}"\ntitle = "{title}"\nadapter = "{adapter}"\nmapping = "{name}"\n'
        'charset = "gb18030"            # of bytes that do not say\n'
        "addresses = []                 # who may send; none: only this machine"
        + ways.get(like, "").format(name)
    ).replace("'", '"') + "\n"


def draft(library: Library, name: str, *, again: bool = False) -> tuple[list[Path], list[str]]:
    """Write the draft of a mapping from its samples; gives the files and what there is to say."""
    folder, found = library.folder / name, samples(library, name)
    if not found:
        raise NotFound(f"there is no sample in {folder / 'samples'}; drop some into it first")
    if (folder / DRAFT).exists() and not again:
        raise Unprocessable(f"{folder / DRAFT} is there; --again writes it over")
    definition = library.definition(name)
    adapter = find(definition.adapter)
    if isinstance(adapter, SheetReader):
        read, said = _sheets(adapter, name, found)
        drafted = tables.draft(read)
        (folder / DRAFT).write_text(written.write(drafted), encoding="utf-8")
        return [folder / DRAFT], said + [line for each in drafted for line in _told(each)]
    if definition.adapter != "hl7v2":
        raise Unprocessable(
            f"a draft is made of tables and of HL7 v2; for {definition.adapter} try a sample "
            "(healthhub map try) and look at what no rule reads (healthhub map coverage)"
        )
    records = [
        adapter.read(each.path.read_bytes(), SampleSource(name, each.charset)) for each in found
    ]
    text, tests = segments.write(segments.look(records), definition.title)
    (folder / DRAFT).write_text(text, encoding="utf-8")
    files = [folder / DRAFT]
    if tests and (again or not (folder / "tests.csv").exists()):
        (folder / "tests.csv").write_text(tests, encoding="utf-8")
        files.append(folder / "tests.csv")
    return files, [f"{len(records)} messages read"]


def read(library: Library, name: str) -> list[Found]:
    """The sheets of a mapping's samples, as a draft reads them."""
    adapter = find(library.definition(name).adapter)
    if not isinstance(adapter, SheetReader):
        return []
    return _sheets(adapter, name, samples(library, name))[0]


def _sheets(
    adapter: SheetReader, name: str, found: list[Sample]
) -> tuple[list[Found], list[str]]:
    read: list[Found] = []
    said: list[str] = []
    for sample in found:
        for file in (
            sorted(sample.path.glob("*.csv")) if sample.path.is_dir() else [sample.path]
        ):
            try:
                for sheet in adapter.sheets(file, SampleSource(name, sample.charset)):
                    called = file.name.split(".")[0] if sheet.strict else sheet.name
                    table = sheets.find(sheet, called)
                    if table is None:
                        said.append(f"{file.name} {sheet.name}: no row looks like a header")
                    else:
                        read.append(table)
            except BadMessage as error:
                said.append(f"{file.name}: {error.message}")
    return read, said


def _told(table: Drafted) -> Iterator[str]:
    known = len(table.guesses)
    kind = f"rows of {table.kind}" if table.kind else "not known what its rows are"
    yield f"{table.name} {table.found.name}: {kind}; {known} of {len(table.found.headings)} columns guessed"
