"""Images through the hub from a PACS that answers over a real socket: by right, audited, bounded."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psycopg
import pytest

from healthhub.access import Purpose, Role, accounts, clients
from healthhub.convert.converter import Converter
from healthhub.main import build_app
from healthhub.mapping.library import Library
from healthhub.model import ids, validate
from healthhub.settings import Settings
from healthhub.store import writer
from tests.dicom import invented_objects as made
from tests.serving import answering

SECRET = "the-archives-own-secret"
STUDY = f"studies/{made.uid(1)}"
INSTANCE = f"{STUDY}/series/{made.uid(1, 1)}/instances/{made.uid(1, 1, 1)}"
BIG = 40 * 2**20


class Pacs(BaseHTTPRequestHandler):
    """A PACS of one study: what it is asked for is noted."""

    asked: ClassVar[list[tuple[str, str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: C901 - one branch for each way to answer
        seen = (
            self.path,
            self.headers.get("accept", ""),
            self.headers.get("authorization", ""),
        )
        Pacs.asked.append(seen)
        path = self.path.removeprefix("/dicom-web/").partition("?")[0]
        if path == f"{INSTANCE}/rendered":
            self._send(200, "image/jpeg", b"\xff\xd8picture\xff\xd9", {"Set-Cookie": "a=b"})
        elif path == f"{STUDY}/metadata":
            self._send(200, "application/dicom+json", b"[{}]")
        elif path == STUDY:
            self.send_response(200)
            self.send_header(
                "Content-Type", 'multipart/related; type="application/dicom"; boundary=x'
            )
            self.send_header("Content-Length", str(BIG))
            self.end_headers()
            for _ in range(BIG // 2**20):
                self.wfile.write(b"\0" * 2**20)
        elif path == f"{STUDY}/series":
            self._send(302, "text/plain", b"", {"Location": "http://169.254.169.254/secret"})
        elif path == f"{STUDY}/instances":
            self._send(200, "text/html", b"<script>alert(1)</script>")
        elif path == f"{STUDY}/thumbnail":
            self._send(401, "text/plain", b"who are you")
        elif path == f"{STUDY}/rendered":
            time.sleep(2.5)
            self._send(200, "image/jpeg", b"late")
        elif path == f"{INSTANCE}/frames/1":
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif path == f"{INSTANCE}/frames/2":
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"\0" * 60 * 2**20)
            self.close_connection = True
        else:
            self._send(404, "text/plain", b"no such")

    def _send(
        self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def pacs() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pacs)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Pacs.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}/dicom-web"
    server.shutdown()
    thread.join(5)
    server.server_close()


def hub_settings(url: str, tmp_path: Path, **more: Any) -> Settings:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    archive = {
        "url": url,
        "address": "https://hub.example/dicomweb/pacs",
        "secret_file": secret,
        "timeout_seconds": 1,
        "max_bytes": 50 * 2**20,
        "at_once": 2,
        **more,
    }
    source = {"institution": "h", "adapter": "dicom", "mapping": "national/dicom"}
    return Settings.model_validate(
        {
            "institutions": {"h": {"title": "H"}},
            "sources": {
                "pacs": {**source, "pacs": archive},
                "other": {**source, "pacs": archive},
            },
        }
    )


def fill(database: str, settings: Settings) -> None:
    """The study as its source has told of it."""
    converter = Converter("pacs", settings.sources["pacs"], Library(made.MAPPINGS))
    told = converter.convert(1, made.ct_first(), datetime(2026, 3, 2, tzinfo=UTC))
    with psycopg.connect(database) as connection:
        writer.write(connection, list(told.drafts), validate.check)


@contextmanager
def serving(
    database: str, settings: Settings, role: Role = Role.SYSTEM
) -> Iterator[httpx.Client]:
    fill(database, settings)
    with psycopg.connect(database) as connection:
        token = clients.add(connection, "viewer", [role], Purpose.TREAT)
    with answering(build_app(settings, database)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def hub(database: str, pacs: str, tmp_path: Path) -> Iterator[httpx.Client]:
    with serving(database, hub_settings(pacs, tmp_path)) as client:
        yield client


def outcome(answer: httpx.Response) -> str:
    assert answer.headers["content-type"].startswith("application/fhir+json")
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert SECRET not in answer.text
    assert "127.0.0.1" not in answer.text
    return body["issue"][0]["details"]["text"]


def test_an_image_comes_from_the_archive_with_the_hubs_credentials_alone(
    hub: httpx.Client,
) -> None:
    answer = hub.get(
        f"/dicomweb/pacs/{INSTANCE}/rendered?viewport=512,512", headers={"Accept": "image/jpeg"}
    )
    assert (answer.status_code, answer.content) == (200, b"\xff\xd8picture\xff\xd9")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"
    (path, accept, credential) = Pacs.asked[-1]
    assert path == f"/dicom-web/{INSTANCE}/rendered?viewport=512%2C512"
    assert (accept, credential) == ("image/jpeg", f"Bearer {SECRET}")


def test_whole_studies_are_streamed(hub: httpx.Client) -> None:
    with hub.stream("GET", f"/dicomweb/pacs/{STUDY}") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("multipart/related")
        assert answer.headers["content-disposition"] == "attachment"
        assert sum(len(chunk) for chunk in answer.iter_raw()) == BIG


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{STUDY}/series", 502),  # a redirect is not followed
        (f"{STUDY}/instances", 502),  # a page is no image
        (f"{STUDY}/thumbnail", 502),  # the hub's credentials are refused
        (f"{STUDY}/rendered", 504),  # late
        (f"{STUDY}/series/{made.uid(1, 8)}", 404),
        ("studies/1.2.3", 404),
        ("studies", 404),
        ("instances", 404),
        (f"{STUDY}/../../admin", 404),
        (f"{STUDY}%2f..%2f..%2fadmin", 404),
        (f"{STUDY}/series/1.2/instances/1.3/bulkdata/%2e%2e", 404),
        (f"{STUDY}/series/1.2/instances/1.3/frames/١", 404),
        (f"{STUDY}/series/1.2/instances/1.3/frames/1;x", 404),
        (f"{STUDY}//evil.example", 404),
        (f"{STUDY}@evil.example", 404),
        (f"{STUDY}/metadata?callback=http://evil.example", 400),
        (f"{STUDY}/metadata?viewport=http://evil.example", 400),
    ],
)
def test_what_goes_wrong_is_told_as_an_operation_outcome(
    hub: httpx.Client, path: str, status: int
) -> None:
    answer = hub.get(f"/dicomweb/pacs/{path}")
    assert answer.status_code == status
    if path.endswith("/admin"):
        return  # the client itself takes the path apart
    assert outcome(answer)
    assert not any("admin" in seen or "evil" in seen for seen, _, _ in Pacs.asked)


def test_an_answer_that_is_cut_or_too_long_is_not_taken_for_whole(hub: httpx.Client) -> None:
    for number in (1, 2):
        with pytest.raises(httpx.HTTPError):
            hub.get(f"/dicomweb/pacs/{INSTANCE}/frames/{number}")
    for _ in range(3):  # its place is free again
        assert hub.get(f"/dicomweb/pacs/{STUDY}/metadata").status_code == 200


def test_no_more_requests_than_allowed_go_to_the_archive(hub: httpx.Client) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(hub.get(f"/dicomweb/pacs/{STUDY}/rendered").status_code)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [503, 503, 503, 504, 504]


def test_another_source_or_one_without_archive_gives_nothing(
    hub: httpx.Client, database: str
) -> None:
    for name in ("other", "nobody"):
        assert "no such study" in outcome(hub.get(f"/dicomweb/{name}/{STUDY}/metadata"))
    assert Pacs.asked == []


def test_an_archive_that_is_away_is_told(database: str, tmp_path: Path) -> None:
    with serving(database, hub_settings("http://127.0.0.1:9/x", tmp_path)) as client:
        answer = client.get(f"/dicomweb/pacs/{STUDY}/metadata")
    assert answer.status_code == 502
    assert "cannot be reached" in outcome(answer)


def test_who_may_not_read_the_record_may_not_see_its_images(
    database: str, pacs: str, tmp_path: Path
) -> None:
    with serving(database, hub_settings(pacs, tmp_path), Role.ADMIN) as client:
        assert client.get(f"/dicomweb/pacs/{STUDY}/metadata").status_code == 403
        client.headers.pop("Authorization")
        assert client.get(f"/dicomweb/pacs/{STUDY}/metadata").status_code == 401
    assert Pacs.asked == []


def test_each_look_is_audited_with_the_patient(hub: httpx.Client, database: str) -> None:
    hub.get(f"/dicomweb/pacs/{STUDY}/metadata")
    patient = ids.derive("h", "Patient", "0061163935")
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "select patients, query from audit_event where query like 'DICOMweb%'"
        ).fetchall()
    assert found == [([patient], f"DICOMweb pacs {STUDY}/metadata")]


def test_a_clinician_sees_them_in_the_browser(hub: httpx.Client, database: str) -> None:
    with psycopg.connect(database) as connection:
        accounts.add(connection, "gu", "Linchuan-2026-ok", [Role.CLINICIAN])
    with httpx.Client(base_url=str(hub.base_url)) as browser:
        found = re.search(r'name="form_key" value="([^"]+)"', browser.get("/signin").text)
        assert found is not None
        form = {"name": "gu", "password": "Linchuan-2026-ok", "form_key": found[1]}
        assert browser.post("/signin", data=form).status_code == 303
        assert browser.get(f"/dicomweb/pacs/{INSTANCE}/rendered").status_code == 200


def test_a_doctor_brought_by_a_his_sees_the_pictures_below_the_address_of_the_record(
    hub: httpx.Client, database: str
) -> None:
    """The cookie of a launch goes to the addresses of that record alone."""
    with psycopg.connect(database) as connection:
        his = clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT, source="pacs")
    (patient,) = hub.get("/fhir/Patient?_count=2").json()["entry"]
    number = patient["resource"]["identifier"][0]["value"]
    wanted = {
        "patient": {"value": number},
        "doctor": {"id": "D7", "name": "钱试验"},
        "purpose": "TREAT",
    }
    ticket = hub.post("/launch/ticket", json=wanted, headers={"authorization": f"Bearer {his}"})
    with httpx.Client(base_url=hub.base_url, timeout=20) as browser:
        record = browser.get(ticket.json()["url"]).headers["location"]
        picture = f"/dicomweb/pacs/{INSTANCE}/rendered"
        shown = browser.get(f"{record}{picture}", headers={"accept": "image/jpeg"})
        outside = browser.get(picture, headers={"accept": "image/jpeg"})
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert outside.status_code == 401
