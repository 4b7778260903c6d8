"""The search parameters that the hub knows, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type (http://hl7.org/fhir/R4/searchparameter-registry.html)."""

    name: str
    kind: str
    path: str
    doc: str
    targets: tuple[str, ...] = ()


def parameters(resource_type: str) -> tuple[Parameter, ...]:
    """The type's parameters, those of all types last; empty for a type that is not stored."""
    raise NotImplementedError
