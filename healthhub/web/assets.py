"""Static files under names that carry their hash, so that a browser may keep them for ever."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from healthhub.errors import NotFound

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    name: str
    media_type: str
    plain: bytes
    gzipped: bytes


def load(folder: Path = FOLDER) -> dict[str, Asset]:
    """The files of a folder by their plain name."""
    assets = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in TYPES:
            data = path.read_bytes()
            digest = blake2b(data, digest_size=6).hexdigest()
            name = f"{path.stem}.{digest}{path.suffix}"
            zipped = gzip.compress(data, mtime=0)
            assets[path.name] = Asset(name, TYPES[path.suffix], data, zipped)
    return assets


ASSETS = load()
_BY_NAME = {asset.name: asset for asset in ASSETS.values()}

router = APIRouter(include_in_schema=False)


def address(name: str) -> str:
    """The address of a static file by its plain name."""
    return f"/static/{ASSETS[name].name}"


@router.get("/static/{name}")
def static(name: str, request: Request) -> Response:
    """A static file; a name of an older release is not found."""
    asset = _BY_NAME.get(name)
    if asset is None:
        raise NotFound("there is no such file; reload the page to get the present one")
    headers = {"Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(asset.gzipped, media_type=asset.media_type, headers=headers)
    return Response(asset.plain, media_type=asset.media_type, headers=headers)
