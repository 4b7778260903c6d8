"""A dialect states only its differences; wrong files are told with file, line and rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_mapping import GROUPS, HEAD, PATIENT, rules, run, write

from healthhub.errors import MappingError
from healthhub.mapping.library import Library

BASE = (
    GROUPS
    + PATIENT
    + rules('a <- "base a"', "b[] <- PID-3.1", "b[] <- PID-2", 'c <- "base c"')
    + """
types:
  T: {makes: X, rules: [v <- .1, 'w <- "base"']}
codes:
  sex: {system: http://s, map: {M: male, F: female}}
"""
)


def _dialect(tmp_path: Path, text: str) -> Library:
    write(tmp_path, "base", BASE)
    return write(tmp_path, "own", "extends: base\n" + text)


def _patient(library: Library, pid: str = "PID|1|V|P1") -> dict[str, object]:
    body = dict(run(library, f"{HEAD}\n{pid}", "own").drafts[0].body)
    for key in ("resourceType", "id", "meta"):
        del body[key]
    return body


def test_a_rule_replaces_those_of_its_target_and_none_removes(tmp_path: Path) -> None:
    own = "resources:\n  patient:\n    rules:\n" + rules(
        'b[] <- "own"', "c <- none", 'd <- "new"'
    )
    assert _patient(_dialect(tmp_path, own)) == {"a": "base a", "b": ["own"], "d": "new"}


def test_a_name_is_changed_in_one_line_and_every_key_follows(tmp_path: Path) -> None:
    library = _dialect(tmp_path, "names:\n  number: PID-2\n")
    assert run(library, f"{HEAD}\nPID|1|V|P1", "own").drafts[0].id == (
        run(library, f"{HEAD}\nPID|1|X|V", "base").drafts[0].id
    )


def test_types_and_codes_are_laid_over_entry_by_entry(tmp_path: Path) -> None:
    own = """
types:
  T: {rules: ['w <- "own"']}
codes:
  sex: {map: {X: other, F: none}}
resources:
  patient:
    rules:
      - t <- PID-5 | T
      - g[] <- PID-8 | code(sex)
"""
    body = _patient(_dialect(tmp_path, own), "PID|1|V|P1||n|||M~F~X")
    assert (body["t"], body["g"]) == ({"v": "n", "w": "own"}, ["male", "other"])


def test_a_resource_of_the_base_can_be_removed(tmp_path: Path) -> None:
    result = run(
        _dialect(tmp_path, "resources:\n  patient: none\n"), f"{HEAD}\nPID|1||P1", "own"
    )
    assert [f.code for f in result.findings] == ["nothing"]


def test_sections_may_stand_in_included_files(tmp_path: Path) -> None:
    library = _dialect(tmp_path, "include: [more.yaml]\n")
    (tmp_path / "own" / "more.yaml").write_text(
        'resources:\n  patient:\n    rules:\n      - a <- "included"\n', encoding="utf-8"
    )
    assert _patient(library)["a"] == "included"


WRONG: list[tuple[str, str, int, str]] = [
    ("no arrow", "resources:\n  patient:\n    rules:\n      - a PID-3\n", 7, "has no arrow"),
    ("unknown function", "resources:\n  patient:\n    rules:\n      - a <- PID-3 | fish\n", 7, "there is no function or type 'fish'"),
    ("misspelt function", "resources:\n  patient:\n    rules:\n      - a <- PID-3 | uper\n", 7, "did you mean 'upper'"),
    ("unknown name", "resources:\n  patient:\n    rules:\n      - a <- numbr\n", 7, "did you mean 'number'"),
    ("unknown table", "resources:\n  patient:\n    rules:\n      - a <- PID-8 | code(sx)\n", 7, "there is no code table 'sx'"),
    ("bad path", "resources:\n  patient:\n    rules:\n      - a <- PID-8[=x]\n", 7, "the filter [=x] is wrong"),
    ("relative path in a block", "resources:\n  patient:\n    rules:\n      - a <- .1\n", 7, "counts from a value"),
    ("both list and value", "resources:\n  patient:\n    rules:\n      - q <- PID-2\n      - q[] <- PID-3\n", 8, "both as one value and as a list"),
    ("wrong arguments", "resources:\n  patient:\n    rules:\n      - a <- PID-3 | replace\n", 7, "replace is used as"),
    ("unknown block", "resources:\n  patient:\n    rules:\n      - a <- ref(visit)\n", 7, "ref needs one of these blocks"),
    ("unknown pattern", 'resources:\n  patient:\n    rules:\n      - a <- "x" if PID-3 matches fish\n', 7, "there is no pattern 'fish'"),
    ("unknown key", "resources:\n  patient:\n    rulez: []\n", 6, "rulez"),
    ("no key", "resources:\n  other: {type: Patient, rules: [a <- PID-3]}\n", 5, "needs a key"),
    ("name in a circle", "names:\n  one: two\n  two: one\n", 6, "stands for itself"),
    ("remove what is not there", "names:\n  nought: none\n", 5, "cannot be removed"),
    ("same key twice", "names:\n  x: PID-2\n  x: PID-3\n", 6, "stands here twice"),
    ("bad segment", "groups:\n  patient: {members: [pv1]}\n", 5, "pv1"),
    ("colon in a rule", "resources:\n  patient:\n    rules:\n      - a <- \"x: y\"\n", 7, "must stand in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "says"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_a_wrong_file_is_told_with_its_line_and_what_to_do(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    library = _dialect(tmp_path, text)
    with pytest.raises(MappingError) as caught:
        library.mapping("own")
    assert says in caught.value.message
    assert caught.value.message.startswith(f"own/mapping.yaml:{line}:")


def test_mappings_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", "extends: b\n")
    with pytest.raises(MappingError, match="in a circle: a -> b -> a"):
        write(tmp_path, "b", "extends: a\n").mapping("a")


def test_a_mapping_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="there are: base, own"):
        _dialect(tmp_path, "").mapping("other")
