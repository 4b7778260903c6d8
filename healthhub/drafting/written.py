"""A draft as a mapping file: what is sure stands, what is likely stands behind ``# ?``, and each
has its reason beside it; what was not understood is listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from healthhub.drafting.columns import SURE, Guess
from healthhub.drafting.tables import PLAIN, Block, Drafted, blocks, kinds, names

HEAD = """\
# A draft by `healthhub map draft`. Read each line: what stands here was guessed from the samples.
# A line behind "# ?" is a guess that is not sure enough: take the mark away if it is right, the
# line if it is not. Then rename the tables (three capitals) and this file, and test.
"""
_MARK = "# ? "


def write(tables: Sequence[Drafted]) -> str:
    """The file."""
    lines = [HEAD.rstrip()]
    known = [table for table in tables if table.kind]
    if known:
        lines.append("tables:")
        for table in known:
            lines += _table(table)
    named = names(known)
    if named:
        lines.append("names:")
        lines += [f"  {name}: {said}" for name, said in named.items()]
    if known:
        lines.append("resources:")
        for block in blocks(known):
            lines += _block(block)
    lines += _codes(known)
    for table in tables:
        if not table.kind:
            lines.append(
                f"# no proposal for {table.found.name}: of its columns "
                f"({', '.join(table.found.headings[:12])}) none tell what its rows are"
            )
    return "\n".join(lines) + "\n"


def _table(table: Drafted) -> Iterator[str]:
    yield f"  {table.name}:"
    yield f"    title: {table.found.name}"
    yield f'    from: ["{table.found.name}*"]'
    if table.found.depth > 1:
        yield f"    header_rows: {table.found.depth}"
    yield f"    columns: {{{', '.join(f'{_name(h)}: []' for h in table.found.headings)}}}"
    template = kinds()[table.kind]
    key = [g.heading for each in template.get("key", ()) if (g := _first(table, each))]
    if key:
        yield f"    key: [{', '.join(map(_name, key))}]"
    else:
        yield f"    {_MARK}key: [...]   # no column looks like what names a row"
    row = _first(table, template.get("row", ()))
    if row is not None and key and not _alone(table, key):
        yield f"    row: [{_name(row.heading)}]"
    for word, concepts in (
        ("patient", ("patient-number", "resident-id")),
        ("at", ("changed",)),
    ):
        guess = _first(table, concepts)
        if guess is not None:
            yield from _line(f"{word}: {_name(guess.heading)}", guess.sure, guess.why, 4)
        elif word == "patient":
            yield f"    {_MARK}patient: ...   # no column looks like the patient's number"
    gone = table.column("deleted")
    if gone is not None:
        said = f'deleted: {{column: {_name(gone.heading)}, values: ["1"]}}'
        yield from _line(said, gone.sure, gone.why + "; look which value withdraws a row", 4)
    for guess in table.guesses:
        yield f"    # {guess.heading}: {guess.concept} ({guess.sure:.0%}: {guess.why})"
    left = [h for h in table.found.headings if h not in {g.heading for g in table.guesses}]
    for heading in left:
        yield f"    # {heading}: no proposal"


def _alone(table: Drafted, key: Sequence[str]) -> bool:
    """Whether the key tells every row of the sample from the others."""
    seen = [tuple(row.get(heading, "") for heading in key) for row in table.found.rows]
    return len(set(seen)) == len(seen)


def _block(block: Block) -> Iterator[str]:
    yield f"  {block.name}:"
    yield f"    type: {block.type}"
    if block.on:
        yield f"    on: [{', '.join(block.on)}]"
    if block.each:
        yield f"    each: {block.each}"
    yield f"    key: [{', '.join(block.key)}]"
    if block.name == "encounter":
        yield "    optional: true"
    if block.authority:
        yield f"    authority: {block.authority}"
    yield "    rules:"
    for rule in block.rules:
        yield from _line(f"- {rule.text}", rule.sure, rule.why, 6)


def _line(text: str, sure: float, why: str, indent: int) -> Iterator[str]:
    blank = " " * indent
    if why:
        yield f"{blank}# {sure:.0%}: {why}"
    yield f"{blank}{'' if sure >= SURE else _MARK}{text}"


def _codes(tables: Sequence[Drafted]) -> Iterator[str]:
    """Code tables that the rules name and that only a person can fill."""
    if not any(table.kind == "result" for table in tables):
        return
    yield "codes:"
    yield "  # Fill both: local code, then code and display of the target; what is missing is kept and counted."
    yield '  tests: {system: "http://loinc.org", map: {}}'
    yield (
        '  mark: {system: "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", '
        "map: {↑: H|High, ↓: L|Low, H: H|High, L: L|Low}}"
    )


def _first(table: Drafted, concepts: Sequence[str]) -> Guess | None:
    return next((g for c in concepts if (g := table.column(c))), None)


def _name(heading: str) -> str:
    return heading if PLAIN.fullmatch(heading) else f'"{heading}"'
