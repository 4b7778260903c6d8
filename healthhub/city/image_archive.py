"""The archive of the city's PACS: keeps every image object, and shows it to the hub by WADO-RS
(PS3.18, 10.4) as a picture, so that the images that a doctor has marked can be looked at."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
from PIL import Image
from pydicom.errors import InvalidDicomError

from healthhub.city.channels import Objects, Stow
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS

_RENDERED = re.compile(
    r"/([a-z0-9-]+)/studies/[0-9.]+/series/[0-9.]+/instances/([0-9.]+)/rendered"
)
_SOURCES = frozenset(s.source for s in SYSTEMS if isinstance(s.channel, Stow | Objects))


class ImageArchive:
    """Objects as files of a folder, by source and instance."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, sent: Sent) -> None:
        """Keep an image object; what is none, or was cut off, is left."""
        if sent.source not in _SOURCES or not sent.accepted:
            return
        dataset = pydicom.dcmread(io.BytesIO(sent.raw), specific_tags=["SOPInstanceUID"])
        path = self._path(sent.source, str(dataset.SOPInstanceUID))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sent.raw)

    def rendered(self, source: str, instance: str) -> bytes:
        """The picture of an object as JPEG; empty where there is none."""
        path = self._path(source, instance)
        if source not in _SOURCES or not path.is_file():
            return b""
        try:
            dataset = pydicom.dcmread(path)
        except InvalidDicomError:
            return b""
        if "PixelData" not in dataset:
            return b""
        size = int(dataset.Columns), int(dataset.Rows)
        out = io.BytesIO()
        Image.frombytes("L", size, bytes(dataset.PixelData)).save(out, "JPEG", quality=85)
        return out.getvalue()

    def _path(self, source: str, instance: str) -> Path:
        return self._folder / source / f"{instance}.dcm"

    @contextmanager
    def open(self) -> Iterator[str]:
        """Its address while it runs; each source has a path of its own below it."""
        with ThreadingHTTPServer(("127.0.0.1", 0), _asked_of(self)) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()


def _asked_of(archive: ImageArchive) -> type[BaseHTTPRequestHandler]:
    """What answers requests to an archive."""

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """A picture, or 404."""
            found = _RENDERED.fullmatch(self.path.partition("?")[0])
            picture = archive.rendered(found[1], found[2]) if found else b""
            self.send_response(200 if picture else 404)
            self.send_header("Content-Type", "image/jpeg" if picture else "text/plain")
            self.send_header("Content-Length", str(len(picture)))
            self.end_headers()
            self.wfile.write(picture)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: addresses name studies."""

    return Asked
