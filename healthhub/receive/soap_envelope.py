"""SOAP envelopes as far as the endpoint must know them: version and operation in, answers out.

SOAP 1.1: https://www.w3.org/TR/2000/NOTE-SOAP-20000508/; 1.2: https://www.w3.org/TR/soap12-part1/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from healthhub.adapter_api import BadMessage

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACE = "urn:hl7-org:v3"
OPERATION = "HIPMessageServer"
MOST_DEPTH = 128
UNDERSTOOD = frozenset(
    (
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
        "http://www.w3.org/2005/08/addressing",
    )
)
"""Header blocks that may be marked mustUnderstand: the token is in the HTTP header, and the
address of an answer is where the question came from."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the version's namespace, and the operation as the sender names it."""

    version: str = SOAP_12
    namespace: str = NAMESPACE
    operation: str = OPERATION

    @property
    def media_type(self) -> str:
        """What the answer is sent as."""
        kind = "text/xml" if self.version == SOAP_11 else "application/soap+xml"
        return f"{kind}; charset=utf-8"


class _Reader:
    """Looks at the envelope alone; what the message holds is the adapter's concern."""

    def __init__(self) -> None:
        self.path: list[tuple[str, str]] = []
        self.version = ""
        self.operation: tuple[str, str] | None = None
        parser: Any = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = self.doctype
        self.parser = parser

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        namespace, _, local = name.rpartition(" ")
        depth = len(self.path)
        if depth == 0:
            if local != "Envelope" or namespace not in (SOAP_11, SOAP_12):
                raise _wrong(
                    f"the root is {local}, no SOAP Envelope; send SOAP 1.2 or 1.1", "Envelope"
                )
            self.version = namespace
        if depth == 2 and self.path[1] == (self.version, "Header"):
            must = attributes.get(f"{self.version} mustUnderstand", "")
            if must in ("1", "true") and namespace not in UNDERSTOOD:
                raise _wrong(f"the header {local} must be understood, and is not", "Header")
        if depth == 2 and self.path[1] == (self.version, "Body"):
            if self.operation is not None:
                raise _wrong("the Body has two operations; send one at a time", "Body")
            self.operation = (namespace, local)
        self.path.append((namespace, local))
        if depth > MOST_DEPTH:
            raise _wrong("elements lie too deep", f"byte {self.parser.CurrentByteIndex + 1}")

    def end(self, name: str) -> None:
        """An element ends."""
        self.path.pop()

    def doctype(self, *_: Any) -> None:
        """SOAP forbids it (SOAP 1.2 part 1, 5), and it could bring entities."""
        raise _wrong("a SOAP message has no DOCTYPE; send it without one", "byte 1")


def _wrong(message: str, place: str) -> BadMessage:
    return BadMessage(message, condition="102", place=place)


def read(body: bytes) -> Call:
    """The call in an envelope; BadMessage when it is none."""
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        place = f"byte {max(reader.parser.ErrorByteIndex, 0) + 1}"
        raise _wrong("the request is no well-formed XML in UTF-8", place) from None
    if reader.operation is None:
        raise _wrong(f"the Body is empty; call {OPERATION}(action, message)", "Body")
    namespace, operation = reader.operation
    return Call(reader.version, namespace, operation)


def version_of(body: bytes) -> str:
    """The version to answer in when the envelope could not be read."""
    return SOAP_11 if SOAP_11.encode() in body[:4096] else SOAP_12


def response(call: Call, message: bytes) -> bytes:
    """The answer of the operation: the message as text, as the question came."""
    inner = escape(message.decode("utf-8"))
    return _enveloped(
        call.version,
        f"<m:{call.operation}Response xmlns:m={quoteattr(call.namespace)}>"
        f"<m:payload>{inner}</m:payload></m:{call.operation}Response>",
    )


def fault(call: Call, text: str, *, receiver: bool) -> bytes:
    """A fault: the sender's, or the hub's own."""
    if call.version == SOAP_11:
        code = "Server" if receiver else "Client"
        inner = f"<faultcode>s:{code}</faultcode><faultstring>{escape(text)}</faultstring>"
    else:
        code = "Receiver" if receiver else "Sender"
        inner = (
            f"<s:Code><s:Value>s:{code}</s:Value></s:Code>"
            f'<s:Reason><s:Text xml:lang="zh">{escape(text)}</s:Text></s:Reason>'
        )
    return _enveloped(call.version, f"<s:Fault>{inner}</s:Fault>")


def _enveloped(version: str, body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{version}">'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def wsdl(address: str) -> bytes:
    """WSDL 1.1 of the operation with a binding for either version."""
    shown = quoteattr(address)
    bindings, ports = "", ""
    for suffix, prefix in (("12", "soap12"), ("11", "soap11")):
        bindings += (
            f'<binding name="HIPMessageService{suffix}" type="t:HIPMessageServicePort">'
            f'<{prefix}:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>'
            f'<operation name="{OPERATION}"><{prefix}:operation soapAction="{NAMESPACE}:{OPERATION}"/>'
            f'<input><{prefix}:body use="literal"/></input>'
            f'<output><{prefix}:body use="literal"/></output></operation></binding>'
        )
        ports += (
            f'<port name="HIPMessageService{suffix}" binding="t:HIPMessageService{suffix}">'
            f"<{prefix}:address location={shown}/></port>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="{NAMESPACE}" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:soap11="http://schemas.xmlsoap.org/wsdl/soap/" '
        'xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" '
        f'targetNamespace="{NAMESPACE}" name="HIPMessageService">'
        f'<types><xs:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        f"{_element(OPERATION, ('action', 'message'))}"
        f"{_element(f'{OPERATION}Response', ('payload',))}</xs:schema></types>"
        f'<message name="{OPERATION}"><part name="parameters" element="t:{OPERATION}"/></message>'
        f'<message name="{OPERATION}Response">'
        f'<part name="parameters" element="t:{OPERATION}Response"/></message>'
        f'<portType name="HIPMessageServicePort"><operation name="{OPERATION}">'
        f'<input message="t:{OPERATION}"/><output message="t:{OPERATION}Response"/>'
        f"</operation></portType>{bindings}"
        f'<service name="HIPMessageService">{ports}</service></definitions>\n'
    ).encode()


def _element(name: str, parts: tuple[str, ...]) -> str:
    inner = "".join(f'<xs:element name="{part}" type="xs:string"/>' for part in parts)
    return (
        f'<xs:element name="{name}"><xs:complexType><xs:sequence>{inner}'
        "</xs:sequence></xs:complexType></xs:element>"
    )
