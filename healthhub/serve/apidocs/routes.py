"""/openapi.json and /docs: for whoever has signed in or brings a client's token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from healthhub.access import http
from healthhub.web.pages import Pages, Viewer

router = APIRouter(include_in_schema=False)
_PAGES = Pages(Path(__file__).parent / "templates")


@dataclass(frozen=True, slots=True)
class Call:
    """One method of one address, as the page shows it."""

    method: str
    path: str
    text: str
    parameters: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The description for programs (OpenAPI 3.1)."""
    await http.actor(request)
    return JSONResponse(_described(request), headers={"cache-control": "private, no-cache"})


@router.get("/docs")
async def page(request: Request) -> Response:
    """The same for people; made by the server, as the network has no other place to load
    scripts from."""
    who = await http.actor(request)
    described = _described(request)
    return _PAGES.render(
        request,
        "apidocs.html",
        viewer=Viewer(who.title or who.name),
        calls=_calls(described),
    )


def _described(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = request.app.openapi()
    schemes = found.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["source"] = {"type": "http", "scheme": "bearer", "description": "A source's token"}
    schemes["client"] = {"type": "http", "scheme": "bearer", "description": "A client's token"}
    return found


def _calls(described: dict[str, Any]) -> list[Call]:
    return [
        Call(
            method.upper(),
            path,
            found.get("description", "").strip(),
            tuple(
                (one["name"], one.get("description", one["in"]))
                for one in found.get("parameters", [])
            ),
            tuple(
                (status, answer.get("description", ""))
                for status, answer in found["responses"].items()
            ),
        )
        for path, methods in described["paths"].items()
        for method, found in methods.items()
    ]
