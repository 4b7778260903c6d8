"""Error pages: what went wrong in one sentence, and what to do next."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from healthhub.errors import HubError
from healthhub.web import language
from healthhub.web.pages import Pages

_PAGES = Pages()
_KNOWN = (400, 401, 403, 404, 409, 410, 413, 422, 503)
SIGN_IN = "/signin"


def page(request: Request, error: HubError) -> Response:
    """The page of an error; one who is not signed in is led to the sign-in page.

    The error's own sentence is English and made for whoever mends it; it is shown beneath
    the translated advice. Its text never holds patient data (errors.HubError).
    """
    if error.status == 401 and request.method == "GET":
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{SIGN_IN}?next={quote(path, safe='')}", status_code=303)
    t = language.translator(language.chosen(request))
    kind = str(error.status) if error.status in _KNOWN else "500"
    return _PAGES.render(
        request,
        "failure.html",
        viewer=None,
        status=error.status,
        heading=t(f"failure.{kind}.heading"),
        advice=t(f"failure.{kind}.advice"),
        detail=error.message if error.status < 500 or error.status == 503 else "",
        code=error.code,
    )
