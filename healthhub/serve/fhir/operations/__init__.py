"""The operations, as data: what each is called, where it is asked, and who answers.

Routes and the CapabilityStatement are made of this table; a new operation is a file and a line.
http://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from healthhub.serve.fhir.operations.code_systems import lookup, subsumes
from healthhub.serve.fhir.operations.code_systems import validate_code as validate_system_code
from healthhub.serve.fhir.operations.concept_maps import translate
from healthhub.serve.fhir.operations.document import document, document_of_type
from healthhub.serve.fhir.operations.everything import everything
from healthhub.serve.fhir.operations.match import match
from healthhub.serve.fhir.operations.meta import meta, meta_add, meta_delete
from healthhub.serve.fhir.operations.summary import summary, summary_by_identifier
from healthhub.serve.fhir.operations.validate import validate_instance, validate_type
from healthhub.serve.fhir.operations.value_sets import expand
from healthhub.serve.fhir.operations.value_sets import validate_code as validate_set_code

Answer = Callable[[Request], Awaitable[Response]]
CORE = "http://hl7.org/fhir/OperationDefinition/"
BOTH = ("GET", "POST")


@dataclass(frozen=True, slots=True)
class Operation:
    """``type`` is a resource type, or * for each; ``of_type`` and ``of_one`` answer at
    [type]/$name and [type]/[id]/$name, with ``methods`` each."""

    name: str
    type: str
    definition: str
    of_type: Answer | None = None
    of_one: Answer | None = None
    type_methods: tuple[str, ...] = BOTH
    one_methods: tuple[str, ...] = BOTH


OPERATIONS = (
    Operation("everything", "Patient", CORE + "Patient-everything", of_one=everything),
    Operation(
        "match", "Patient", CORE + "Patient-match", of_type=match, type_methods=("POST",)
    ),
    Operation(
        "summary",
        "Patient",
        "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
        summary_by_identifier,
        summary,
    ),
    Operation(
        "document",
        "Composition",
        CORE + "Composition-document",
        document_of_type,
        document,
    ),
    Operation("lookup", "CodeSystem", CORE + "CodeSystem-lookup", lookup),
    Operation(
        "validate-code",
        "CodeSystem",
        CORE + "CodeSystem-validate-code",
        validate_system_code,
        validate_system_code,
    ),
    Operation("subsumes", "CodeSystem", CORE + "CodeSystem-subsumes", subsumes, subsumes),
    Operation("expand", "ValueSet", CORE + "ValueSet-expand", expand, expand),
    Operation(
        "validate-code",
        "ValueSet",
        CORE + "ValueSet-validate-code",
        validate_set_code,
        validate_set_code,
    ),
    Operation("translate", "ConceptMap", CORE + "ConceptMap-translate", translate, translate),
    Operation(
        "validate",
        "*",
        CORE + "Resource-validate",
        validate_type,
        validate_instance,
        type_methods=("POST",),
    ),
    Operation("meta", "*", CORE + "Resource-meta", of_one=meta),
    Operation(
        "meta-add", "*", CORE + "Resource-meta-add", of_one=meta_add, one_methods=("POST",)
    ),
    Operation(
        "meta-delete",
        "*",
        CORE + "Resource-meta-delete",
        of_one=meta_delete,
        one_methods=("POST",),
    ),
)


def routes() -> Iterator[tuple[str, str, Answer]]:
    """Path, method and answerer of each."""
    for one in OPERATIONS:
        kind = "{type}" if one.type == "*" else one.type
        for methods, path, answerer in (
            (one.type_methods, f"/{kind}/${one.name}", one.of_type),
            (one.one_methods, f"/{kind}/{{id}}/${one.name}", one.of_one),
        ):
            if answerer is not None:
                for method in methods:
                    yield path, method, answerer


def offered(type_: str) -> list[dict[str, str]]:
    """The operations of a type, as its part of the CapabilityStatement lists them."""
    return [
        {"name": one.name, "definition": one.definition}
        for one in OPERATIONS
        if one.type in ("*", type_)
    ]
