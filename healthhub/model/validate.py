"""Whether a resource is FHIR R4: structure, cardinality, types and required codes."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from fhir_core.fhirabstractmodel import FHIRAbstractModel
from pydantic import ValidationError

from healthhub.errors import Unprocessable
from healthhub.model.resource import Body


def check(body: Body) -> None:
    """Raise Unprocessable, with the place as a FHIRPath, unless ``body`` is a valid R4 resource.

    Numbers may be int, float or decimal.Decimal; dates and times are text, as on the wire.
    """
    kind = body.get("resourceType")
    if not isinstance(kind, str):
        raise Unprocessable("a resource names its type in resourceType; add it")
    try:
        _model(kind).model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise Unprocessable(
            _sentence(first["type"], first["msg"]), expression=_path(kind, first["loc"])
        ) from None


@cache
def _model(kind: str) -> type[FHIRAbstractModel]:
    try:
        module = import_module(f"fhir.resources.R4B.{kind.lower()}")
    except ImportError:
        module = None
    model: Any = getattr(module, kind, None)
    if model is None or not issubclass(model, FHIRAbstractModel) or not model.has_resource_base():
        raise Unprocessable(
            f"{kind[:64]!r} is no resource type of FHIR R4 (4.0.1); send one that is",
            expression="resourceType",
        )
    return model


def _path(kind: str, location: tuple[int | str, ...]) -> str:
    path = kind
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _sentence(code: str, message: str) -> str:
    if code == "extra_forbidden":
        return "FHIR R4 has no such element here; remove it or correct its name"
    return message
