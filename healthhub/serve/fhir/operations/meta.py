"""$meta, $meta-add, $meta-delete of one resource: its profiles, tags and security labels.

http://hl7.org/fhir/R4/resource-operation-meta.html
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest
from healthhub.model import validate
from healthhub.model.resource import Body, Stored
from healthhub.pipeline.intent import Intent
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of, type_of
from healthhub.serve.fhir.operations import told
from healthhub.serve.fhir.operations.given import given
from healthhub.serve.fhir.writing import carry_out

LISTS = ("profile", "security", "tag")


async def meta(request: Request) -> Response:
    """The meta of the current version."""
    ask = await asked(request, free=True)
    await given(request, ask, ())
    stored = await ask.door.read(ask.who, ask.why, type_of(request), id_of(request))
    return _answered(ask, stored)


async def meta_add(request: Request) -> Response:
    """Add what the resource does not have yet; nothing new makes no version."""
    return await _changed(request, "$meta-add", _with)


async def meta_delete(request: Request) -> Response:
    """Take out what was named and is there."""
    return await _changed(request, "$meta-delete", _without)


async def _changed(request: Request, what: str, change: Any) -> Response:
    ask = await asked(request, free=True)
    type_, fhir_id = type_of(request), id_of(request)
    await ask.door.permit(ask.who, ask.why, Action.WRITE, (type_, "u"))
    named = _named((await given(request, ask, ("meta",))).object("meta"))

    def changed(body: Body) -> Body:
        return body | {"meta": change(body.get("meta", {}), named)}

    made = await carry_out(ask, Intent("patch", type_, fhir_id, patch=changed), what)
    assert made.stored is not None  # noqa: S101 - a patch gives what is there now
    return _answered(ask, made.stored)


def _named(meta: Body | None) -> Body:
    if meta is None:
        raise InvalidRequest("give the parameter meta (valueMeta)", expression="meta")
    validate.check({"resourceType": "Basic", "code": {"text": "meta"}, "meta": meta})
    others = [name for name in meta if name not in LISTS]
    if others:
        raise InvalidRequest(
            f"meta holds {', '.join(LISTS)} here; the hub sets the rest itself",
            expression=f"meta.{others[0]}",
        )
    return meta


def _with(meta: Body, named: Body) -> Body:
    made = dict(meta)
    for name in LISTS:
        has = list(meta.get(name, []))
        keys = {_key(one) for one in has}
        more = [one for one in named.get(name, []) if _key(one) not in keys]
        if has or more:
            made[name] = [*has, *more]
    return made


def _without(meta: Body, named: Body) -> Body:
    made = dict(meta)
    for name in LISTS:
        keys = {_key(one) for one in named.get(name, [])}
        left = [one for one in meta.get(name, []) if _key(one) not in keys]
        made.pop(name, None)
        if left:
            made[name] = left
    return made


def _key(one: Any) -> str:
    """Labels are the same when system and code are."""
    return one if isinstance(one, str) else f"{one.get('system', '')}|{one.get('code', '')}"


def _answered(ask: Asked, stored: Stored) -> Response:
    found = orjson.loads(stored.json).get("meta", {})
    body = told.parameters([told.parameter("return", "Meta", found)])
    return answer.of_json(ask, body, headers=answer.versioned(stored))
