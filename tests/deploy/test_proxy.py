"""deploy/Caddyfile on the real program: TLS, no way round it, and no word of a client believed."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.deploy.image import ROOT, SERVICES
from tests.deploy.test_parts_apart import free_port

NAME = "hub.example.org"


class Echo(http.server.BaseHTTPRequestHandler):
    """A hub that answers with the headers it got."""

    def do_GET(self) -> None:
        body = json.dumps({k.lower(): v for k, v in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    plain: str
    secure: str
    certificate: Path
    log: Path
    upstream: http.server.ThreadingHTTPServer

    def client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(base_url=self.secure, verify=context, trust_env=False)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    words = f"""req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={NAME}
        -addext subjectAltName=DNS:{NAME},IP:127.0.0.1 -keyout tls_key -out tls_certificate"""
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    plain, secure = free_port(), free_port()
    text = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")
    for ours, here in (
        ("http://:80 ", f"http://:{plain} "),
        ("https://:443 ", f"https://:{secure} "),
        ("/run/secrets", str(folder)),
        ("hub:8080", f"127.0.0.1:{upstream.server_address[1]}"),
    ):
        assert text.count(ours), ours
        text = text.replace(ours, here)
    (folder / "Caddyfile").write_text(text, "utf-8")
    caddy = shutil.which("caddy", path=str(Path(sys.prefix) / "bin"))
    assert caddy is not None, "the development packages hold it: make .venv/ready"
    words = [w.replace("/etc/caddy", str(folder)) for w in SERVICES["proxy"]["command"][1:]]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [caddy, *words], env={"HUB_NAME": NAME, "HOME": str(folder)}, stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + 20
        for port in (plain, secure):
            while not listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.05)
        yield Proxy(
            f"http://127.0.0.1:{plain}",
            f"https://127.0.0.1:{secure}",
            folder / "tls_certificate",
            folder / "log",
            upstream,
        )
    finally:
        process.terminate()
        process.wait(20)
        upstream.shutdown()
        upstream.server_close()


def test_what_a_client_says_of_its_address_is_replaced(proxy: Proxy) -> None:
    with proxy.client() as client:
        lie = {"X-Forwarded-For": "10.1.1.1", "X-Forwarded-Proto": "http"}
        answer = client.get("/", headers=lie)
    seen = answer.json()
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["host"] == httpx.URL(proxy.secure).netloc.decode()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_plain_http_is_sent_to_https_and_only_the_probe_is_answered(proxy: Proxy) -> None:
    (probe,) = (w for w in SERVICES["proxy"]["healthcheck"]["test"] if w.startswith("http"))
    path = httpx.URL(probe).path
    with httpx.Client(base_url=proxy.plain, trust_env=False) as client:
        assert client.get(path).status_code == 204
        answer = client.get("/record/x?y=1", headers={"Host": NAME})
    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://{NAME}/record/x?y=1"


@pytest.mark.parametrize("name", [NAME, "another.example.org", None])
def test_a_client_by_name_by_another_name_or_by_address_gets_the_certificate(
    proxy: Proxy, name: str | None
) -> None:
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    context.check_hostname = False
    port = httpx.URL(proxy.secure).port
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        assert secure.getpeercert()["subject"] == ((("commonName", NAME),),)  # type: ignore[index]
        assert secure.version() in ("TLSv1.2", "TLSv1.3")


def test_old_tls_is_refused(proxy: Proxy) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", httpx.URL(proxy.secure).port), 10) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)


def test_the_proxys_log_never_holds_an_address_that_was_asked_for(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.get("/fhir/Patient?name=secret-name")
        proxy.upstream.shutdown()
        proxy.upstream.server_close()
        answer = client.get("/fhir/Patient?name=secret-name")
    assert answer.status_code == 502
    assert "secret-name" not in proxy.log.read_text("utf-8")
