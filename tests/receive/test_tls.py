"""MLLP over TLS: a source is held to its client certificate."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from healthhub.errors import SettingError
from healthhub.receive.mllp import tls
from healthhub.settings import Mllp
from tests.receive.conftest import Client, Listening
from tests.receive.test_mllp_listener import segments, utf8

SOURCES = {
    "his": {"institution": "h", "mapping": "x", "client_certificate": "his.hospital"},
}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and certificates signed by it for the hub, for the source and for a stranger."""
    folder = tmp_path_factory.mktemp("papers")

    def openssl(*arguments: str) -> None:
        subprocess.run(  # noqa: S603
            ["openssl", *arguments],  # noqa: S607
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=30,
        )

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        *new, "-x509", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"
    )
    for name in ("hub", "his.hospital", "stranger"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        sign = ("x509", "-req", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key")
        alternative = folder / "names"
        alternative.write_text(f"subjectAltName=DNS:{name}")
        openssl(
            *sign, "-CAcreateserial", "-extfile", "names", "-in", f"{name}.csr",
            "-out", f"{name}.pem",
        )  # fmt: skip
    return folder


def hub(papers: Path) -> dict[str, Path]:
    return {
        "tls_certificate": papers / "hub.pem",
        "tls_key": papers / "hub.key",
        "tls_client_ca": papers / "ca.pem",
    }


def sender(papers: Path, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(papers / "ca.pem"))
    if name:
        context.load_cert_chain(papers / f"{name}.pem", papers / f"{name}.key")
    return context


def exchange(port: int, context: ssl.SSLContext) -> bytes:
    """What the hub says to a message: TLS 1.3 tells of a refused certificate only then."""
    try:
        with Client(port, context) as client:
            client.send(utf8())
            return client.socket.recv(1)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_the_source_with_its_certificate_is_taken(listening: Listening, papers: Path) -> None:
    with (
        listening(SOURCES, **hub(papers)) as port,
        Client(port, sender(papers, "his.hospital")) as client,
    ):
        assert segments(client.ask(utf8()))["MSA"][1] == "AA"


def test_another_certificate_of_the_same_ca_is_rejected_with_advice(
    listening: Listening, papers: Path
) -> None:
    with (
        listening(SOURCES, **hub(papers)) as port,
        Client(port, sender(papers, "stranger")) as client,
    ):
        answer = segments(client.ask(utf8()))
    assert answer["MSA"][1] == "AR"
    assert "certificate" in answer["MSA"][3]


def test_a_sender_without_a_certificate_gets_no_connection(
    listening: Listening, papers: Path
) -> None:
    with listening(SOURCES, **hub(papers)) as port:
        assert exchange(port, sender(papers)) == b""
        with Client(port, sender(papers, "his.hospital")) as client:
            assert segments(client.ask(utf8()))["MSA"][1] == "AA"


def test_certificates_that_cannot_be_read_are_an_error_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"mllp\.tls_certificate"):
        tls(Mllp(tls_certificate=tmp_path / "none.pem"))
