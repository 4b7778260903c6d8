"""The hub's profiles: sound themselves, met by their examples and by what the mappings yield."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from healthhub import city
from healthhub.adapter_api import find
from healthhub.adapter_api.tables import SheetReader
from healthhub.city import moments
from healthhub.convert.converter import Converter
from healthhub.mapping.library import Library
from healthhub.model import profiles, validate
from healthhub.model.issue import Issue
from healthhub.model.r4 import invariants
from healthhub.settings import PACKAGE_ROOT, Settings
from healthhub.store import wire
from healthhub.terms import shipped, value_set
from healthhub.terms.value_set import Shelf

MAPPINGS = PACKAGE_ROOT / "mappings"
EXAMPLES = sorted((MAPPINGS / "national" / "profiles" / "examples").glob("*.json"))
HUB = "https://healthhub.dev/fhir/StructureDefinition/"
Body = dict[str, Any]


def set_of(url: str) -> Body | None:
    """A value set that is shipped."""
    key = ("ValueSet", url.partition("|")[0])
    return shipped.of_nation(MAPPINGS).get(key) or shipped.of_r4().get(key)


@cache
def codes(url: str) -> frozenset[tuple[str, str]]:
    """The codes of a value set; all that the profiles name must be shipped."""
    shelf = Shelf(lambda name: shipped.system(name.partition("|")[0], MAPPINGS), set_of)
    definition = set_of(url)
    assert definition is not None, url
    return frozenset((one.system, one.code) for one in value_set.expand(definition, shelf))


KNOWN = profiles.Known(
    lambda url: shipped.of_nation(MAPPINGS).get(("StructureDefinition", url)), codes
)


def faults(body: Body, profile: str) -> list[Issue]:
    """What breaks a profile, R4's own rules included; nothing may be left unjudged."""
    validate.check(body)
    definition = KNOWN.profile(HUB + profile)
    assert definition is not None, profile
    found = [*invariants.check(body), *profiles.check(body, definition, KNOWN)]
    assert [one for one in found if one.code in ("not-supported", "not-found")] == []
    return [one for one in found if one.severity == "error"]


def test_what_is_shipped_is_valid_and_has_one_address_each() -> None:
    shipped_ones = shipped.of_nation(MAPPINGS)
    files = list((MAPPINGS / "national" / "profiles").glob("*.json"))
    assert len(shipped_ones) == len(files)
    for body in shipped_ones.values():
        validate.check(body)
        errors = [one for one in invariants.check(body) if one.severity == "error"]
        assert errors == [], body["url"]


def test_no_profile_demands_an_id_number_or_a_card() -> None:
    """Newborns, foreigners and unknown patients have neither."""
    definition = KNOWN.profile(f"{HUB}hub-patient")
    assert definition is not None
    demanded = {
        one["id"]
        for one in definition["differential"]["element"]
        if one.get("min", 0) > 0 and one["id"].count(".") == 1
    }
    assert demanded == set()


BAD = {
    "hub-patient.bad-nobody": "Patient",
    "hub-patient.bad-two-id-numbers": "Patient.identifier[1]",
    "hub-patient.bad-no-system": "Patient.identifier[0].system",
    "hub-encounter.bad-local-class": "Encounter.class",
    "hub-encounter.bad-nobodys": "Encounter.subject",
    "hub-observation-laboratory.bad-without-a-value": "Observation",
    "hub-observation-laboratory.bad-local-unit": "Observation.valueQuantity",
    "hub-observation-vital-sign.bad-kilopascal": "Observation.component[0].valueQuantity",
    "hub-observation-vital-sign.bad-without-a-day": "Observation.effective[x]",
    "hub-condition.bad-of-a-group": "Condition.subject",
    "hub-condition.bad-empty-code": "Condition.code",
    "hub-medication-request.bad-undated": "MedicationRequest.authoredOn",
    "hub-medication-request.bad-nameless-medicine": "MedicationRequest.medicationCodeableConcept",
    "hub-service-request-referral.bad-without-a-reason": "ServiceRequest",
    "hub-service-request-referral.bad-to-nobody": "ServiceRequest.performer",
    "hub-service-request-referral.bad-sideways": "ServiceRequest.category[1]",
    "hub-task.bad-rejected-without-a-reason": "Task",
    "hub-task.bad-for-nobody": "Task.for",
    "hub-organization.bad-nameless": "Organization.name",
    "hub-practitioner.bad-number-without-a-system": "Practitioner.identifier[0].system",
}
"""Where each bad example breaks its profile."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_is_what_it_says_it_is(path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    profile, _, what = path.stem.partition(".")
    places = {one.place for one in faults(body, profile)}
    assert places == ({BAD[path.stem]} if what.startswith("bad-") else set())


def test_each_profile_has_a_good_and_a_bad_example() -> None:
    names = {path.stem.partition(".")[0] for path in EXAMPLES}
    kinds = {
        body["url"].removeprefix(HUB)
        for body in shipped.of_nation(MAPPINGS).values()
        if body["resourceType"] == "StructureDefinition" and "hub-" in body["url"]
    }
    assert names == kinds
    for name in names:
        bad = [path for path in EXAMPLES if path.stem.startswith(f"{name}.bad-")]
        good = [path for path in EXAMPLES if path.stem.startswith(f"{name}.")]
        assert 0 < len(bad) < len(good), name


def profile_of(body: Body) -> str | None:
    """The hub's profile that a mapped resource is to meet."""
    categories = {
        coding.get("code")
        for one in body.get("category", ())
        if isinstance(one, dict)
        for coding in one.get("coding", ())
    }
    match body["resourceType"]:
        case "Observation" if "laboratory" in categories:
            return "hub-observation-laboratory"
        case "Observation" if "vital-signs" in categories:
            return "hub-observation-vital-sign"
        case "MedicationRequest":
            return "hub-medication-request"
        case "Patient" | "Encounter" | "Condition" | "Organization" | "Practitioner" as kind:
            return f"hub-{kind.lower()}"
        case _:
            return None


@pytest.mark.parametrize(
    "mapping", ["hospital-a", "hospital-b", "national/hl7v2", "national/cda"]
)
def test_what_a_mapping_yields_meets_the_profiles(mapping: str) -> None:
    judged: Counter[str] = Counter()
    for path in sorted((MAPPINGS / mapping / "samples").glob("*.json")):
        for body in json.loads(path.read_text(encoding="utf-8")).get("resources", ()):
            body.pop("_draft")
            profile = profile_of(body)
            if profile is not None:
                judged[profile] += 1
                assert faults(body, profile) == [], path.name
    assert set(judged) >= {
        "hub-patient",
        "hub-encounter",
        "hub-observation-laboratory",
        "hub-organization",
        "hub-practitioner",
        "hub-medication-request",
    }


OTHERS = (
    "cdc-immunisation",
    "exam-vehicle",
    "blood-station",
    "emergency-120",
    "insurance-settlement",
    "drug-distribution",
)


def extensions(value: Any) -> Iterator[str]:
    """The addresses of all extensions in a body, but for the parts of one."""
    if isinstance(value, dict):
        for key, each in cast(Body, value).items():
            if key in ("extension", "modifierExtension"):
                yield from (one["url"] for one in each if "/" in one["url"])
            yield from extensions(each)
    elif isinstance(value, list):
        for each in cast(list[Any], value):
            yield from extensions(each)


@pytest.mark.parametrize("mapping", OTHERS)
def test_what_other_systems_send_meets_the_profiles_and_its_extensions_are_defined(
    mapping: str,
) -> None:
    judged = 0
    for path in sorted((MAPPINGS / mapping / "samples").glob("*.json")):
        for body in json.loads(path.read_text(encoding="utf-8"))["resources"]:
            body.pop("_draft")
            for url in extensions(body):
                assert KNOWN.profile(url) is not None, url
            profile = profile_of(body)
            if profile is not None:
                judged += 1
                assert faults(body, profile) == [], (path.name, body)
    assert judged > 5


def test_what_a_small_city_sends_meets_the_profiles() -> None:
    library = Library(MAPPINGS)
    sources = Settings(**city.settings()).sources
    converters = {name: Converter(name, source, library) for name, source in sources.items()}
    # Rows become messages only when they are received; their samples are judged above.
    tables = {
        name
        for name, source in sources.items()
        if isinstance(find(library.definition(source.mapping).adapter), SheetReader)
    }
    judged: Counter[str] = Counter()
    seen: set[UUID] = set()
    missed = 0
    for number, sent in enumerate(city.Story(5, 7, 1).messages(), 1):
        if not sent.accepted or sent.source in tables:
            continue
        done = converters[sent.source].convert(number, sent.raw, moments.aware(sent.at))
        for draft in done.drafts:
            body = wire.loads(wire.dumps(draft.body))
            profile = profile_of(body)
            if profile is not None and draft.id not in seen:
                seen.add(draft.id)
                judged[profile] += 1
                found = faults(body, profile)
                if sent.planted == "profile-missed" and found:
                    assert body["resourceType"] == "Observation"
                    missed += 1
                else:
                    assert found == [], sent.source
    assert missed > 0
    assert len(judged) >= 7
    assert judged.total() > 100
