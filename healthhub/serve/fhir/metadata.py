"""capabilities: GET [base]/metadata (http://hl7.org/fhir/R4/http.html#capabilities)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub import __version__
from healthhub.access import holdings
from healthhub.serve.fhir import answer, smart
from healthhub.serve.fhir.asked import asked
from healthhub.serve.fhir.operations import offered
from healthhub.subscriptions import topics
from healthhub.terms import shipped

RELEASED = "2026-11-24"
_INTERACTIONS = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport"
_TOPIC = f"{_BACKPORT}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
_SUBSCRIPTION = [
    {
        "name": name,
        "definition": f"{_BACKPORT}/OperationDefinition/backport-subscription-{name}",
    }
    for name in ("status", "events")
]
_BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
_EXPORTS = {
    name: {"name": "export", "definition": f"{_BULK}/{rest}"}
    for name, rest in (
        ("", "export"),
        ("Patient", "patient-export"),
        ("Group", "group-export"),
    )
}


async def metadata(request: Request) -> Response:
    """What this server can do, made from what it does."""
    ask = await asked(request)
    mappings = request.app.state.settings.mappings_dir
    return answer.of_json(ask, _statement(ask.base, mappings, holdings.edition()))


@lru_cache(maxsize=8)
def _statement(base: str, mappings: Path, edition: int) -> bytes:
    """Made once for each ``edition`` of the search parameters."""
    return orjson.dumps(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": RELEASED,
            "publisher": "HealthHub",
            "kind": "instance",
            "software": {"name": "HealthHub", "version": __version__},
            "implementation": {
                "description": "Regional health information hub",
                "url": base,
            },
            "fhirVersion": "4.0.1",
            "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
            "format": ["application/fhir+json", "json"],
            "patchFormat": ["application/json-patch+json", "application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "security": smart.security(base),
                    "resource": [_resource(name, mappings) for name in holdings.TYPES],
                    "operation": [_EXPORTS[""]],
                    "interaction": [
                        {"code": code} for code in ("transaction", "batch", "history-system")
                    ],
                }
            ],
        }
    )


def _resource(name: str, mappings: Path) -> dict[str, object]:
    described: dict[str, object] = {
        "type": name,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
    }
    if supported := shipped.profiles(name, mappings):
        described["supportedProfile"] = supported
    described["searchInclude"] = ["*", *_links(name)]
    described["searchRevInclude"] = list(_links_to(name, holdings.edition()))
    described["searchParam"] = [_parameter(one) for one in holdings.parameters(name)]
    ours = [_EXPORTS[name]] if name in _EXPORTS else []
    if name == "Subscription":
        described["extension"] = [
            {"url": _TOPIC, "valueCanonical": url} for url in sorted(topics.load(None))
        ]
        ours = _SUBSCRIPTION
    described["operation"] = [*offered(name), *ours]
    return described


def _links(name: str) -> list[str]:
    return [
        f"{name}:{one.name}" for one in holdings.parameters(name) if one.kind == "reference"
    ]


@lru_cache(maxsize=256)
def _links_to(name: str, edition: int) -> tuple[str, ...]:
    """The references of any type that may lead to this one."""
    return tuple(
        f"{other}:{one.name}"
        for other in holdings.TYPES
        for one in holdings.parameters(other)
        if one.kind == "reference" and name in one.targets
    )


def _parameter(one: holdings.Parameter) -> dict[str, str]:
    made = {"name": one.name, "type": one.kind}
    if one.url:
        made["definition"] = one.url
    return made
