"""Rendering: a service's templates over the common layout, with safe headers on every page."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from healthhub.web import assets, forms, language

LAYOUT = Path(__file__).parent / "templates"
GZIP_FROM = 2048
YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is signed in, as far as the layout needs to know. ``bound_to``: the address of the one
    record that the reader may see."""

    name: str
    record: bool = False
    console: bool = False
    bound_to: str = ""


def policy(frame_ancestors: str = "'self'") -> str:
    """The Content-Security-Policy: nothing but our own files, no inline script or style."""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {frame_ancestors}"
    )


class Pages:
    """The pages of one service: its own template folder first, the common one behind it."""

    def __init__(self, *folders: Path, filters: dict[str, Callable[..., Any]] | None = None):
        self._environment = Environment(
            loader=FileSystemLoader([*folders, LAYOUT]),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.address
        self._environment.filters.update(filters or {})

    def text(self, template: str, language_code: str, **context: Any) -> str:
        """A template as text, without a request."""
        t = language.translator(language_code)
        return self._environment.get_template(template).render(t=t, **context)

    def render(
        self,
        request: Request,
        template: str,
        *,
        viewer: Viewer | None,
        status: int = 200,
        **context: Any,
    ) -> Response:
        """A page as a response: never cached, sealed by its policy, in the reader's language."""
        code = language.chosen(request)
        text = self.text(
            template,
            code,
            viewer=viewer,
            form_key=forms.key(request),
            languages=[
                (other, language.TAGS[other], _in_language(request, other))
                for other in language.LANGUAGES
            ],
            **context,
        )
        return _respond(request, text, status, code)


def _in_language(request: Request, code: str) -> str:
    """This page's address in another language (a page that a form made has none: its path)."""
    url = request.url.include_query_params(lang=code)
    return f"{url.path}?{url.query}"


def _respond(request: Request, text: str, status: int, code: str) -> Response:
    settings = getattr(request.app.state, "settings", None)
    secure = settings.web.secure_cookies if settings is not None else False
    hosts = settings.web.embedded_by if settings is not None else ()
    body = text.encode()
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": language.TAGS[code],
        "Content-Security-Policy": policy(" ".join(["'self'", *hosts])),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if len(body) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    response = Response(body, status, headers, "text/html; charset=utf-8")
    forms.remember(request, response, secure=secure)
    if request.query_params.get("lang") == code:
        response.set_cookie(
            language.COOKIE,
            code,
            max_age=YEAR_SECONDS,
            samesite="lax",
            httponly=True,
            secure=secure,
        )
    return response
