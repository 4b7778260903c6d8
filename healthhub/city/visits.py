"""What happens in a visit, before any system has written it down in its own way."""

from __future__ import annotations

from dataclasses import dataclass

from healthhub.city.catalogue import Diagnosis, Drug, Item, Panel, Vaccine
from healthhub.city.moments import Moment
from healthhub.city.people import Resident
from healthhub.city.places import Department, Doctor


@dataclass(frozen=True, slots=True)
class Result:
    """One test's outcome; ``mark`` is H L HH LL for numbers, P or N for texts, or empty."""

    item: Item
    value: str
    mark: str


@dataclass(frozen=True, slots=True)
class Report:
    """A laboratory report of one panel."""

    panel: Panel
    ordered: Moment
    collected: Moment
    reported: Moment
    results: tuple[Result, ...]
    doctor: Doctor
    tester: Doctor
    reviewer: Doctor


@dataclass(frozen=True, slots=True)
class Study:
    """An imaging examination with its two texts."""

    code: str
    name: str
    modality: str
    done: Moment
    reported: Moment
    findings: str
    impression: str
    doctor: Doctor
    reader: Doctor


@dataclass(frozen=True, slots=True)
class Prescription:
    """One medicine ordered in a visit."""

    drug: Drug
    written: Moment
    days: int
    doctor: Doctor


@dataclass(frozen=True, slots=True)
class Operation:
    """A surgical procedure, coded in ICD-9-CM-3 (insurance edition)."""

    code: str
    name: str
    begun: Moment
    ended: Moment
    surgeon: Doctor
    anaesthesia: str


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose of a vaccine."""

    vaccine: Vaccine
    number: int
    given: Moment
    lot: str
    maker: str
    nurse: Doctor


@dataclass(frozen=True, slots=True)
class Allergy:
    """An allergy as the resident tells it."""

    code: str
    name: str
    kind: str
    reaction: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit to one house (``a``, ``b``, ``c``).

    ``kind`` is O outpatient, E emergency, I inpatient, T health check; ``count`` the resident's
    how-manieth visit to the house; ``transfer`` the department moved to on the way.
    """

    resident: Resident
    house: str
    kind: str
    count: int
    start: Moment
    end: Moment
    department: Department
    doctor: Doctor
    complaint: str
    diagnoses: tuple[Diagnosis, ...]
    bed: str = ""
    reports: tuple[Report, ...] = ()
    studies: tuple[Study, ...] = ()
    prescriptions: tuple[Prescription, ...] = ()
    operation: Operation | None = None
    doses: tuple[Dose, ...] = ()
    transfer: tuple[Moment, Department] | None = None
