"""The terminology operations answer from what is stored, what R4 lists, and the mappings."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from asking import Body, issues, parameters, put, said

from healthhub.model import validate
from healthhub.model.r4 import shape
from healthhub.terms import shipped, value_set
from healthhub.terms.value_set import Shelf

GENDER = "http://hl7.org/fhir/administrative-gender"
ANIMALS: Body = {
    "resourceType": "CodeSystem",
    "id": "animals",
    "url": "urn:animals",
    "version": "2",
    "name": "Animals",
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "property": [{"code": "legs", "type": "integer"}],
    "concept": [
        {
            "code": "mammal",
            "display": "哺乳动物",
            "concept": [
                {
                    "code": "cat",
                    "display": "猫",
                    "definition": "家猫",
                    "designation": [{"language": "en", "value": "Cat"}],
                    "property": [{"code": "legs", "valueInteger": 4}],
                    "concept": [{"code": "kitten", "display": "小猫"}],
                },
                {"code": "whale", "display": "鲸"},
            ],
        },
        {
            "code": "dodo",
            "display": "渡渡鸟",
            "property": [{"code": "inactive", "valueBoolean": True}],
        },
    ],
}


def set_of(name: str, *include: Body, exclude: list[Body] | None = None) -> Body:
    """A stored value set."""
    compose: Body = {"include": list(include)}
    if exclude:
        compose["exclude"] = exclude
    return {
        "resourceType": "ValueSet",
        "id": name,
        "url": f"urn:set:{name}",
        "status": "active",
        "compose": compose,
    }


def where(op: str, value: str, name: str = "concept") -> Body:
    """An include with one filter."""
    return {
        "system": "urn:animals",
        "filter": [{"property": name, "op": op, "value": value}],
    }


SETS = {
    "all": (set_of("all", {"system": "urn:animals"}), "mammal cat kitten whale dodo"),
    "is-a": (set_of("is-a", where("is-a", "cat")), "cat kitten"),
    "descendent-of": (
        set_of("descendent-of", where("descendent-of", "mammal")),
        "cat kitten whale",
    ),
    "is-not-a": (set_of("is-not-a", where("is-not-a", "mammal")), "dodo"),
    "generalizes": (set_of("generalizes", where("generalizes", "cat")), "mammal cat"),
    "equal": (set_of("equal", where("=", "4", "legs")), "cat"),
    "exists": (set_of("exists", where("exists", "true", "legs")), "cat"),
    "in": (set_of("in", where("in", "cat, dodo", "code")), "cat dodo"),
    "not-in": (set_of("not-in", where("not-in", "cat,kitten,mammal", "code")), "whale dodo"),
    "regex": (set_of("regex", where("regex", "[a-d].*", "code")), "cat dodo"),
    "listed": (
        set_of(
            "listed",
            {"system": "urn:animals", "concept": [{"code": "whale"}, {"code": "cat"}]},
        ),
        "whale cat",
    ),
    "both": (
        set_of("both", {"system": "urn:animals", "valueSet": ["urn:set:is-a"]}),
        "cat kitten",
    ),
    "imported": (set_of("imported", {"valueSet": ["urn:set:is-a"]}), "cat kitten"),
    "without": (
        set_of("without", where("is-a", "cat"), exclude=[where("=", "kitten", "code")]),
        "cat",
    ),
}
MAP: Body = {
    "resourceType": "ConceptMap",
    "id": "map",
    "url": "urn:map",
    "status": "active",
    "group": [
        {
            "source": "urn:animals",
            "target": "urn:food",
            "element": [
                {
                    "code": "cat",
                    "target": [{"code": "fish", "display": "鱼", "equivalence": "wider"}],
                },
                {"code": "dodo", "target": [{"equivalence": "unmatched"}]},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def terms(shared_hub: httpx.Client) -> httpx.Client:
    """A hub with a code system, value sets and a map."""
    put(shared_hub, ANIMALS, MAP, *(body for body, _ in SETS.values()))
    return shared_hub


def codes(answer: httpx.Response) -> list[str]:
    """The codes of an expansion."""
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()["expansion"].get("contains", [])]


@pytest.mark.parametrize("name", SETS)
def test_a_value_set_is_expanded_by_its_definition(terms: httpx.Client, name: str) -> None:
    by_url = terms.get("/fhir/ValueSet/$expand", params={"url": f"urn:set:{name}"})
    by_id = terms.get(f"/fhir/ValueSet/{name}/$expand")
    sent = terms.post(
        "/fhir/ValueSet/$expand", json=parameters(("valueSet", "", SETS[name][0]))
    )
    expected = SETS[name][1].split()
    assert codes(by_url) == codes(by_id) == codes(sent) == expected
    assert by_url.json()["expansion"]["total"] == len(expected)
    validate.check(by_url.json())


@pytest.mark.parametrize(
    ("query", "expected", "total"),
    [
        ("filter=猫", "cat kitten", 2),
        ("filter=小 猫", "kitten", 1),
        ("filter=CAT", "cat", 1),
        ("count=2", "mammal cat", 5),
        ("count=2&offset=3", "whale dodo", 5),
        ("offset=9", "", 5),
        ("count=0", "", 5),
        ("activeOnly=true", "mammal cat kitten whale", 4),
    ],
)
def test_an_expansion_is_filtered_and_paged(
    terms: httpx.Client, query: str, expected: str, total: int
) -> None:
    answer = terms.get(f"/fhir/ValueSet/all/$expand?{query}")
    assert codes(answer) == expected.split()
    assert answer.json()["expansion"]["total"] == total


def test_designations_and_languages(terms: httpx.Client) -> None:
    answer = terms.get(
        "/fhir/ValueSet/is-a/$expand?displayLanguage=en&includeDesignations=true"
    ).json()
    cat = answer["expansion"]["contains"][0]
    assert (cat["display"], cat["designation"]) == ("Cat", [{"language": "en", "value": "Cat"}])


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [
        ("", 400, [("error", "invalid", "url")]),
        ("url=urn:none", 404, [("error", "not-found", "")]),
        ("url=urn:set:all&count=many", 400, [("error", "invalid", "count")]),
        ("url=urn:set:all&colour=red", 400, [("error", "not-supported", "colour")]),
        ("url=urn:set:all|9", 404, [("error", "not-found", "")]),
    ],
)
def test_an_expansion_that_cannot_be_is_refused(
    terms: httpx.Client, query: str, status: int, expected: list[tuple[str, str, str]]
) -> None:
    answer = terms.get(f"/fhir/ValueSet/$expand?{query}")
    assert (answer.status_code, issues(answer)) == (status, expected)


@pytest.mark.parametrize(
    "include",
    [
        {"system": "http://snomed.info/sct"},
        {"valueSet": ["urn:none"]},
        {"valueSet": ["urn:set:circle"]},
        {
            "system": "urn:animals",
            "filter": [{"property": "code", "op": "regex", "value": "(a*)*"}],
        },
        {
            "system": "urn:animals",
            "filter": [{"property": "code", "op": "regex", "value": "("}],
        },
    ],
)
def test_codes_that_the_hub_does_not_hold_are_not_guessed(
    terms: httpx.Client, include: Body
) -> None:
    put(terms, set_of("circle", include))
    answer = terms.get("/fhir/ValueSet/circle/$expand")
    assert (answer.status_code, issues(answer)) == (422, [("error", "not-supported", "")])


@pytest.mark.parametrize(
    ("pairs", "result"),
    [
        ([("system", "Uri", "urn:animals"), ("code", "Code", "cat")], True),
        ([("system", "Uri", "urn:animals"), ("code", "Code", "whale")], False),
        ([("system", "Uri", "urn:plants"), ("code", "Code", "cat")], False),
        ([("coding", "Coding", {"system": "urn:animals", "code": "kitten"})], True),
        (
            [("coding", "Coding", {"system": "urn:animals", "code": "cat", "display": "狗"})],
            False,
        ),
        (
            [("coding", "Coding", {"system": "urn:animals", "code": "cat", "display": "Cat"})],
            True,
        ),
        (
            [
                (
                    "codeableConcept",
                    "CodeableConcept",
                    {"coding": [{"code": "x"}, {"system": "urn:animals", "code": "cat"}]},
                )
            ],
            True,
        ),
    ],
)
def test_a_code_is_judged_by_a_value_set(
    terms: httpx.Client, pairs: list[tuple[str, str, Any]], result: bool
) -> None:
    found = said(terms.post("/fhir/ValueSet/is-a/$validate-code", json=parameters(*pairs)))
    assert found["result"] is result
    assert ("message" in found) is not result


@pytest.mark.parametrize(
    ("path", "status", "place"),
    [
        ("ValueSet/is-a/$validate-code?code=cat", 400, "system"),
        ("ValueSet/is-a/$validate-code", 400, "code"),
        ("ValueSet/is-a/$validate-code?system=urn:animals&coding=x", 400, "coding"),
        ("CodeSystem/$lookup?code=cat", 400, "system"),
        ("CodeSystem/$lookup?system=urn:animals&code=cow", 404, "code"),
        ("CodeSystem/$lookup?system=urn:none&code=cow", 404, ""),
        ("CodeSystem/$subsumes?system=urn:animals&codeA=cat&codeB=cow", 404, "codeB"),
        ("CodeSystem/$subsumes?system=urn:animals&codeA=cat", 400, "codeB"),
        ("ConceptMap/$translate?url=urn:none&system=urn:animals&code=cat", 404, ""),
        ("ConceptMap/$translate?url=urn:map&code=cat", 400, "system"),
    ],
)
def test_what_was_left_out_is_named(
    terms: httpx.Client, path: str, status: int, place: str
) -> None:
    answer = terms.get(f"/fhir/{path}")
    assert (answer.status_code, issues(answer)[0][2]) == (status, place)


def test_lookup_tells_names_parents_children_and_properties(terms: httpx.Client) -> None:
    answer = terms.get("/fhir/CodeSystem/$lookup?system=urn:animals&code=CAT")
    found = said(answer)
    assert (found["name"], found["version"], found["display"]) == ("Animals", "2", "猫")
    properties = {
        (one["part"][0]["valueCode"], *list(one["part"][1].values())[1:])
        for one in answer.json()["parameter"]
        if one["name"] == "property"
    }
    assert properties == {
        ("parent", "mammal"),
        ("child", "kitten"),
        ("definition", "家猫"),
        ("legs", 4),
    }
    english = terms.get(
        "/fhir/CodeSystem/$lookup?system=urn:animals&code=cat&displayLanguage=en&property=legs"
    )
    assert said(english)["display"] == "Cat"
    assert len([1 for one in english.json()["parameter"] if one["name"] == "property"]) == 1


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("cat", "cat", "equivalent"),
        ("mammal", "kitten", "subsumes"),
        ("kitten", "mammal", "subsumed-by"),
        ("cat", "whale", "not-subsumed"),
    ],
)
def test_subsumption_follows_the_hierarchy(
    terms: httpx.Client, a: str, b: str, outcome: str
) -> None:
    found = said(
        terms.get(f"/fhir/CodeSystem/$subsumes?system=urn:animals&codeA={a}&codeB={b}")
    )
    one = said(terms.get(f"/fhir/CodeSystem/animals/$subsumes?codeA={a}&codeB={b}"))
    assert found == one == {"outcome": outcome}


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$validate-code?url=urn:animals&code=cat", True),
        ("$validate-code?url=urn:animals|2&code=cat", True),
        ("animals/$validate-code?code=cow", False),
        ("animals/$validate-code?code=cat&display=狗", False),
        (f"$validate-code?url={GENDER}&code=female", True),
        (f"$validate-code?url={GENDER}&code=f", False),
    ],
)
def test_a_code_is_judged_by_its_system(terms: httpx.Client, path: str, result: bool) -> None:
    assert said(terms.get(f"/fhir/CodeSystem/{path}"))["result"] is result


@pytest.mark.parametrize(
    ("query", "result", "matches"),
    [
        ("url=urn:map&system=urn:animals&code=cat", True, [("wider", "fish")]),
        ("system=urn:animals&code=cat", True, [("wider", "fish")]),
        ("system=urn:animals&code=cat&targetsystem=urn:other", False, []),
        ("url=urn:map&system=urn:animals&code=dodo", False, [("unmatched", "")]),
        ("url=urn:map&system=urn:animals&code=whale", False, []),
        (
            "url=urn:map&system=urn:food&code=fish&reverse=true",
            True,
            [("narrower", "cat")],
        ),
        (
            "url=https://healthhub.dev/fhir/ConceptMap/national-hl7v2-gender"
            "&system=http://terminology.hl7.org/CodeSystem/v2-0001&code=F",
            True,
            [("relatedto", "female")],
        ),
    ],
)
def test_a_code_is_translated(
    terms: httpx.Client, query: str, result: bool, matches: list[tuple[str, str]]
) -> None:
    answer = terms.get(f"/fhir/ConceptMap/$translate?{query}")
    assert said(answer)["result"] is result
    found = []
    for one in answer.json()["parameter"]:
        if one["name"] == "match":
            parts = {part["name"]: list(part.values())[1] for part in one["part"]}
            found.append((parts["equivalence"], parts.get("concept", {}).get("code", "")))
    assert found == matches


def test_required_value_sets_of_r4_are_those_that_the_shape_check_has() -> None:
    """Two extracts of one package agree: what $expand lists is what a write must keep to."""
    r4 = shipped.of_r4()
    shelf = Shelf(
        lambda url: shipped.CodeSystem(body) if (body := r4.get(("CodeSystem", url))) else None,
        lambda url: r4.get(("ValueSet", url.partition("|")[0])),
    )
    compared = 0
    for name, known in shape._data()["codes"].items():
        definition = r4.get(("ValueSet", name))
        if definition is not None:
            assert {c.code for c in value_set.expand(definition, shelf)} == set(known), name
            compared += 1
    assert compared > 150
