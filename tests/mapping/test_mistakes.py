"""The mistakes that newcomers make: each is told in one sentence with file, line and advice."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_mapping import GROUPS, PATIENT, rules, write

from healthhub.errors import MappingError
from healthhub.mapping import checks
from healthhub.mapping.library import Library

HEAD = 'mapping: own\nversion: "1"\nextends: base\n'
BASE = GROUPS + PATIENT + rules("gender <- PID-8 | code(sex)") + (
    "types:\n  XPN: {makes: HumanName, rules: [text <- .1]}\n"
    "codes:\n  sex: {map: {M: male, F: female}}\n"
)  # fmt: skip
RULES = HEAD + "resources:\n  patient:\n    rules:\n"


def told(tmp_path: Path, text: str | bytes) -> list[str]:
    """What is said of a mapping file ``own`` over a small base, as `healthhub map check` does."""
    write(tmp_path, "base", BASE)
    home = tmp_path / "own"
    home.mkdir()
    raw = text if isinstance(text, bytes) else text.encode()
    (home / "mapping.yaml").write_bytes(raw)
    library = Library(tmp_path)
    try:
        return [error.message for error in checks.targets(library.mapping("own").definition)]
    except MappingError as error:
        return [error.message]


ONE_RULE: list[tuple[str, str]] = [
    ("birthdate <- PID-7 | date", "Patient has no element birthdate; did you mean birthDate?"),
    ("deceased <- PID-30", "did you mean deceasedBoolean or deceasedDateTime?"),
    ("birthDate <- PID-7", "birthDate is a date; add | date"),
    ("birthDate <- PID-7 | date_time", "birthDate is a date; add | date"),
    ('active <- "yes"', "active is true or false; add | boolean"),
    ("multipleBirthInteger <- PID-25", "multipleBirthInteger is a whole number; add | integer"),
    ("deceasedDateTime <- PID-29", "deceasedDateTime is a time; add | date_time or | instant"),
    ("gender <- PID-8 | concept(sex)", "gender takes a plain value, not a CodeableConcept"),
    ("maritalStatus <- PID-16", "maritalStatus takes a CodeableConcept, not a text"),
    ("name[] <- PID-5 | concept", "name takes a HumanName, not a CodeableConcept"),
    ("address[] <- PID-5 | XPN", "address takes a Address, not a HumanName"),
    ("name <- PID-5 | XPN", "name is a list; write name[] or name[word]"),
    ("language[] <- PID-8", "filled both as one value and as a list"),
    ("gender[a] <- PID-8", "filled both as one value and as a list"),
    ("birthDate[] <- PID-7 | date", "birthDate is no list; write it without brackets"),
    ("name[].text <- PID-5", "name[] cannot have parts; give the entry a word: name[word]"),
    ("gender.code <- PID-8", "a plain value has no parts such as code"),
    ("gender <- PID.8", "PID.8 is no path; write PID-8"),
    ("gender <- pid-8", "did you mean the path PID-8?"),
    ("gender <- PID-0", "'PID-0' counts from 0; fields and components count from 1"),
    ("gender <- PID-8.0", "counts from 0"),
    ("gender <- PID-3[IdentifyNO].1", "write [2], [5=X] or [5=X|Y,4.1=Z]"),
    ("gender <- PID-8 | code(religion)", "there is no code table 'religion'; known are: sex"),
    ("gender <- PID-8 | code(sx)", "there is no code table 'sx'; did you mean 'sex'?"),
    ("gender <- PID-8 | code", "code is used as | code(table)"),
    ("gender <- PID-8 | uper", "there is no function or type 'uper'; did you mean 'upper'?"),
    ("gender <- PID-8 | upper(1)", "upper is used as | upper"),
    ("gender <- PID-8 | code(sex", "expected ')' before 'the end'"),
    ("gender <- PID-8 |", "expected a function after '|', found 'the end'"),
    ("gender <-", "expected a value, found 'the end'"),
    ("<- PID-8", "the target is empty; name a FHIR element before the arrow"),
    ("gender -> PID-8", "has no arrow; write target <- value"),
    ("gender = PID-8", "has no arrow; write target <- value"),
    ("gender: PID-8", "this is no text; a rule that holds ': ' or ' #' must stand in quotes"),
    ("gender <- male", "put a text into quotes"),
    ("gender <- 'male'", "put a text into double quotes"),
    ('gender <- "male', 'its closing " is missing'),
    ('gender <- "a #b"', "after ' #' YAML reads a remark: quote the whole rule"),
    ("gender <- PID-8｜code(sex)", "that sign is full-width: type it half-width"),
    ("gender <- “male”", "that sign is full-width: type it half-width"),
    ('gender <- "x" if PID-8 == "M"', "compare with a single ="),
    ('gender <- "x" if PID-8 && PID-7', "on; write and"),
    ('gender <- PID-8 else if PID-7 "x"', "write: value if condition else value"),
    ("gender <- PID-8 matches number", "a condition follows the word if"),
    ("managingOrganization <- ref(organisation)", "ref needs one of these blocks, or Type and key"),
    ("managingOrganization <- ref(Organisation, PID-3)", "did you mean 'Organization'?"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "says"), ONE_RULE, ids=[rule for rule, _ in ONE_RULE])
def test_a_mistake_in_a_rule_is_one_sentence_at_its_line(
    rule: str, says: str, tmp_path: Path
) -> None:
    good = '      - language <- "zh"\n'
    (sentence,) = told(tmp_path, f"{RULES}{good}      - {rule}\n")
    assert sentence.startswith("own/mapping.yaml:8: ")
    assert says in sentence
    assert "\n" not in sentence


FILES: list[tuple[str, str | bytes, int, str]] = [
    ("misspelt section", HEAD + "resource:\n  patient: {}\n", 4, "there is no key 'resource' here; did you mean 'resources'?"),
    ("misspelt key", HEAD + "resources:\n  patient:\n    wenn: PID-3\n", 6, "there is no key 'wenn' here; did you mean 'when'?"),
    ("tab", HEAD + "resources:\n\tpatient: {}\n", 5, "indented by a tab"),
    ("indentation", RULES + "      - language <- \"zh\"\n     - gender <- PID-8\n", 8, "the indentation does not fit"),
    ("not indented at all", HEAD + "resources:\n  patient:\n  rules:\n    - gender <- PID-8\n", 5, "nothing stands here; indent its entries"),
    ("same key twice", HEAD + "resources:\n  patient:\n    when: PID-3\n    when: PID-4\n", 7, "'when' stands here twice; keep one of them"),
    ("rules as table", RULES + "      gender: PID-8\n", 6, "write a list here"),
    ("no rules", RULES, 6, "nothing stands here"),
    ("kind without brackets", HEAD + "resources:\n  patient:\n    on: ADT\n", 6, "write a list here: [ADT]"),
    ("kind as structure", HEAD + "resources:\n  patient:\n    on: [ADT_A01]\n", 6, "'ADT_A01' is no kind of message; write ADT or ADT^A01"),
    ("segment in small letters", HEAD + "groups:\n  patient: {members: [pv1]}\n", 5, "'pv1' is no segment"),
    ("a group that is not there", HEAD + "groups:\n  x: {anchors: [ZZZ], in: [nowhere]}\n", 5, "there is no such group"),
    ("each of no group", HEAD + "resources:\n  x: {type: Patient, each: patients, key: [number], rules: [gender <- PID-8]}\n", 5, "each: patients, and there is no such group; did you mean 'patient'?"),
    ("a group that nothing begins", HEAD + "groups:\n  x: {members: [ZZZ]}\n", 5, "nothing begins the group x"),
    ("resource type", HEAD + "resources:\n  x: {type: Pateint, key: [number], rules: [gender <- PID-8]}\n", 5, "Pateint is no resource type of FHIR R4; did you mean 'Patient'?"),
    ("a new block that was meant as an old one", HEAD + "resources:\n  patients:\n    rules: [gender <- PID-8]\n", 5, "the resource patients needs a type"),
    ("scope", HEAD + "resources:\n  patient: {scope: Shared}\n", 5, "'Shared' must be one of patient, shared"),
    ("codes as list", HEAD + "codes:\n  sex:\n    map: [M, F]\n", 6, "write entries of the form  key: value"),
    ("code file", HEAD + "codes:\n  sex: {file: sex.csv}\n", 5, "the file sex.csv is not in the mapping's folder"),
    ("code file of another kind", HEAD + "codes:\n  sex: {file: sex.xlsx}\n", 5, "must be a file name that ends in .csv"),
    ("include", HEAD + "include: [more.yaml]\n", 4, "the file more.yaml is not in the mapping's folder"),
    ("merge without its other half", HEAD + "merges:\n  - {on: [ADT^A40], kept: [number]}\n", 5, "'replaced' is missing; add it"),
    ("name in a circle", HEAD + "names: {number: number}\n", 4, "'number' stands for itself"),
    ("type of no FHIR", HEAD + "types:\n  T: {makes: HumanNam, rules: [text <- .1]}\n", 5, "HumanNam is no data type of FHIR R4"),
    ("star without quotes", HEAD + "names:\n  x: *y\n", 5, "must stand in quotes"),
    ("extends nothing", 'mapping: own\nversion: "1"\nextends: nat/hl7v2\n', 3, "there is no mapping 'nat/hl7v2'"),
    ("extends itself", 'mapping: own\nversion: "1"\nextends: own\n', 3, "in a circle: own -> own"),
    ("adapter", 'mapping: own\nversion: "1"\nadapter: hl7v9\n', 1, "there is no adapter 'hl7v9'; installed are:"),
    ("no version", "mapping: own\nextends: base\n", 1, "the version is missing"),
    ("another name", 'mapping: onw\nversion: "1"\n', 1, "begin with: mapping: own"),
    ("not UTF-8", (HEAD + "title: 城东\n").encode("gb18030"), 4, "save it as UTF-8"),
    ("a list", "- a\n", 1, "write entries of the form  key: value"),
    ("empty", "", 1, "the file is empty"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "says"), [case[1:] for case in FILES], ids=[case[0] for case in FILES]
)
def test_a_mistake_in_a_file_is_one_sentence_at_its_line(
    text: str | bytes, line: int, says: str, tmp_path: Path
) -> None:
    (sentence,) = told(tmp_path, text)
    assert sentence.startswith(f"own/mapping.yaml:{line}: ")
    assert says in sentence
    assert "\n" not in sentence


def test_right_rules_are_not_blamed(tmp_path: Path) -> None:
    right = rules(
        "birthDate <- PID-7 | date",
        "deceasedDateTime <- PID-29 | date_time else PID-29 | date",
        'active <- true if PID-8 = "M" else PID-30 | boolean',
        "maritalStatus <- PID-16 | concept",
        "name[] <- PID-5 | XPN",
        "name[old].text <- PID-9",
        "managingOrganization <- ref(Organization, PID-3)",
        "multipleBirthInteger <- PID-25 | positive",
        "link[other].other <- ref(patient)",
    )
    assert told(tmp_path, RULES + right) == []
