"""Whether a resource is FHIR R4: structure, cardinality, types and required codes.

Two checks, each for what the other does not know: ``r4.shape`` walks the definitions of R4
(4.0.1) itself; the models of fhir.resources (R4B) know cardinalities, choices and the forms of
primitives. What R4B has and R4 has not is refused by the first: the types Citation,
ClinicalUseDefinition, Ingredient, NutritionProduct, PackagedProductDefinition,
SubscriptionStatus and their like, and new elements of old ones (tests/model lists them). R4
types without a model (R4B dropped MedicinalProduct, EffectEvidenceSynthesis, SubstanceProtein
and their families) cannot be checked, so they are refused too.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any, cast

from fhir_core.fhirabstractmodel import FHIRAbstractModel
from pydantic import ValidationError

from healthhub.errors import Unprocessable
from healthhub.model.issue import Issue
from healthhub.model.r4 import shape
from healthhub.model.resource import Body

# A third of the models' time goes into one look for nulls in lists of objects in each model;
# shape.check has refused those already. It must go before the models are made: they inherit it.
FHIRAbstractModel.__pydantic_decorators__.model_validators.pop(
    "reject_null_complex_elements", None
)

_ADVICE = {
    "extra_forbidden": "FHIR R4 has no such element here; remove it or correct its name",
    "missing": "FHIR R4 demands this element; add it",
    "model_field_validation.missing": "FHIR R4 demands this element; add it",
    "fhir-validation-wrong-resource-type": "another type of resource is expected here",
}
_CHOICE = re.compile(r"from this list (\[[^\]]*\])")


def check(body: Body) -> None:
    """Raise Unprocessable, with the place as a FHIRPath, unless ``body`` is a valid R4 resource.

    Numbers may be int, float or decimal.Decimal; dates and times are text, as on the wire. The
    sentence never repeats a value of the body.
    """
    shape.check(body)
    kind: str = body["resourceType"]
    try:
        _validate(kind, body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = _path(kind, first["loc"])
        raise Unprocessable(
            f"{place}: {_advice(first['type'], first['msg'])}", expression=place
        ) from None


def issues(body: Body) -> list[Issue]:
    """All faults of structure: the first one of shape, else all that the models find."""
    try:
        shape.check(body)
        _model(body["resourceType"])
    except Unprocessable as error:
        return [Issue("error", "structure", error.expression or "", error.message)]
    try:
        _validate(body["resourceType"], body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = [
            (_path(body["resourceType"], one["loc"]), _advice(one["type"], one["msg"]))
            for one in found
        ]
        return [Issue("error", "structure", place, text) for place, text in dict.fromkeys(told)]
    return []


def _validate(kind: str, body: Body) -> None:
    """Hold the body to its model. The model of Extension knows no ``_value[x]``, which R4 does;
    shape.check has seen it, so the model looks at the body without."""
    try:
        _model(kind).model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if not any(str(one["loc"][-1]).startswith("_value") for one in found if one["loc"]):
            raise
        _model(kind).model_validate(_bare(body))


def _bare(value: Any) -> Any:
    """A copy without the ``_value[x]`` of extensions."""
    if isinstance(value, list):
        return [_bare(entry) for entry in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    told = cast(Body, value)
    return {
        name: _bare(child)
        for name, child in told.items()
        if not ("url" in told and name.startswith("_value"))
    }


@cache
def _model(kind: str) -> type[FHIRAbstractModel]:
    try:
        module = import_module(f"fhir.resources.R4B.{kind.lower()}")
    except ImportError:
        raise Unprocessable(
            f"the hub has no model of {kind} and so cannot check it; it cannot be stored here",
            expression="resourceType",
        ) from None
    model: Any = getattr(module, kind)
    return model


def _path(kind: str, location: tuple[int | str, ...]) -> str:
    path = kind
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _advice(code: str, message: str) -> str:
    if code in _ADVICE:
        return _ADVICE[code]
    if (choice := _CHOICE.search(message)) is not None:
        return f"FHIR R4 demands exactly one of {choice.group(1)}"
    return "the value has not the form that its type has in FHIR R4; correct it"
