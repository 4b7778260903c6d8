"""SOAP clients that nobody here wrote read the WSDL and send by it: zeep and suds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import suds.client
import suds.transport.http
import zeep
from test_soap import TOKEN, kept, served
from zeep.exceptions import Fault

logging.getLogger("suds").setLevel(logging.CRITICAL)
MESSAGE = (
    "<req><orginSysId>LIS</orginSysId><msgTime>20260302101500</msgTime><data><patId>C1</patId>"
    "<diagId>D1</diagId><diagNam>5 < 6 & 高血压</diagNam></data></req>"
).replace("5 < 6 & ", "5 &lt; 6 &amp; ")


@pytest.fixture
def hub(database: str) -> Iterator[str]:
    with served(database, database) as address:
        yield address


@pytest.mark.parametrize("port", ["HIPMessageService12", "HIPMessageService11"])
def test_zeep_reads_the_wsdl_and_is_answered_in_both_versions(
    hub: str, database: str, port: str
) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    session.trust_env = False
    client: Any = zeep.Client(
        f"{hub}/feeds/esb/soap?wsdl", transport=zeep.Transport(session=session)
    )
    service = client.bind("HIPMessageService", port)
    answer = service.HIPMessageServer(action="Diagnosis", message=MESSAGE)
    assert answer == "<res><success>AA</success><msg></msg></res>"
    [(kind, state, raw)] = kept(database)
    assert (kind, state) == ("XML^Diagnosis", "pending")
    assert "高血压".encode() in raw


def test_zeep_gets_a_fault_as_a_fault(hub: str) -> None:
    session = requests.Session()
    session.auth = ("esb", TOKEN)
    session.trust_env = False
    client: Any = zeep.Client(
        f"{hub}/feeds/esb/soap?wsdl", transport=zeep.Transport(session=session)
    )
    with client.settings(extra_http_headers={"Content-Type": "application/soap+xml"}):
        answer = client.transport.post(
            f"{hub}/feeds/esb/soap", "<e:Envelope xmlns:e='urn:other'/>", {}
        )
    assert answer.status_code == 400
    operation = client.service._binding.get("HIPMessageServer")
    with pytest.raises(Fault, match="SOAP Envelope"):
        client.service._binding.process_reply(client, operation, answer)


def test_suds_reads_the_wsdl_and_is_answered(hub: str, database: str) -> None:
    transport = suds.transport.http.HttpAuthenticated(
        username="esb", password=TOKEN, proxy={}, timeout=10
    )
    client: Any = suds.client.Client(
        f"{hub}/feeds/esb/soap?wsdl", transport=transport, cache=None
    )
    client.set_options(port="HIPMessageService11")
    # suds takes a text with entities for one that it has escaped already
    plain = MESSAGE.replace("5 &lt; 6 &amp; ", "")
    answer = client.service.HIPMessageServer("Diagnosis", plain)
    assert str(answer) == "<res><success>AA</success><msg></msg></res>"
    assert [kind for kind, _, _ in kept(database)] == ["XML^Diagnosis"]
