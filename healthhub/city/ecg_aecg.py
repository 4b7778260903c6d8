"""An electrocardiogram as HL7 annotated ECG (V3, PORT_MT020001), UTF-8."""

from __future__ import annotations

import uuid
from xml.sax.saxutils import escape

from healthhub.city import heart
from healthhub.city.ecg_order import Ordered
from healthhub.city.heart import MICROVOLTS, Tracing
from healthhub.city.moments import digits14

_MDC = "2.16.840.1.113883.6.24"
_MEASURED = (
    ("MDC_ECG_HEART_RATE", "bpm", "rate"),
    ("MDC_ECG_TIME_PD_PR", "ms", "pr"),
    ("MDC_ECG_TIME_PD_QRS", "ms", "qrs"),
    ("MDC_ECG_TIME_PD_QT", "ms", "qt"),
    ("MDC_ECG_TIME_PD_QTC", "ms", "qtc"),
)


def write(ordered: Ordered, tracing: Tracing) -> bytes:
    """The document."""
    at = f"{digits14(ordered.at)}.000"
    leads = "".join(_sequence(name, samples) for name, samples in tracing.leads.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Observation">'
        f'<id root="{uuid.uuid5(uuid.NAMESPACE_OID, ordered.number)}"/>'
        '<code code="93000" codeSystem="2.16.840.1.113883.6.12"/>'
        f'<effectiveTime><low value="{at}"/></effectiveTime>{_subject(ordered)}'
        '<component><series><code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>'
        f'<effectiveTime><low value="{at}"/></effectiveTime>{_author(ordered)}'
        '<component><sequenceSet><component><sequence classCode="OBS">'
        '<code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.5.4"/>'
        f'<value xsi:type="GLIST_TS"><head value="{at}"/>'
        f'<increment value="{1 / heart.RATE}" unit="s"/></value></sequence></component>{leads}'
        "</sequenceSet></component><subjectOf><annotationSet>"
        f"{_notes(tracing)}</annotationSet></subjectOf></series></component></AnnotatedECG>\n"
    ).encode()


def _subject(ordered: Ordered) -> str:
    chart = ordered.chart
    return (
        f'<componentOf><timepointEvent><id root="1.2.156.112605.2" extension="{ordered.order}"/>'
        "<componentOf><subjectAssignment><subject><trialSubject>"
        f'<id root="2.16.156.10011.2.5.1.4" extension="{chart.number}"/>'
        f"<subjectDemographicPerson><name>{escape(chart.name)}</name>"
        f'<administrativeGenderCode code="{chart.resident.sex}" '
        f'codeSystem="2.16.840.1.113883.5.1"/><birthTime value="{chart.birth}"/>'
        "</subjectDemographicPerson></trialSubject></subject></subjectAssignment></componentOf>"
        "</timepointEvent></componentOf>"
    )


def _author(ordered: Ordered) -> str:
    cart = ordered.device
    return (
        "<author><seriesAuthor><manufacturedSeriesDevice>"
        f'<id root="1.2.156.112605.3" extension="{cart.serial}"/>'
        f"<manufacturerModelName>{cart.model}</manufacturerModelName>"
        f"</manufacturedSeriesDevice><manufacturerOrganization><name>{cart.maker}</name>"
        "</manufacturerOrganization></seriesAuthor></author>"
    )


def _sequence(lead: str, samples: list[int]) -> str:
    digits = "\n".join(
        " ".join(map(str, samples[n : n + 50])) for n in range(0, len(samples), 50)
    )
    return (
        f'<component><sequence classCode="OBS"><code code="MDC_ECG_LEAD_{lead}" '
        f'codeSystem="{_MDC}"/><value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/>'
        f'<scale value="{MICROVOLTS}" unit="uV"/>\n<digits>{digits}</digits></value></sequence>'
        "</component>"
    )


def _notes(tracing: Tracing) -> str:
    """Measurements that were made, and statements."""
    values = [(code, unit, getattr(tracing, field)) for code, unit, field in _MEASURED]
    measured = [
        _note(code, f'<value xsi:type="PQ" value="{value}" unit="{unit}"/>')
        for code, unit, value in values
        if value
    ]
    said = [
        _note("MDC_ECG_INTERPRETATION_STATEMENT", f'<value xsi:type="ST">{text}</value>')
        for text in tracing.said
    ]
    return "".join((*measured, *said))


def _note(code: str, value: str) -> str:
    return (
        f'<component><annotation><code code="{code}" codeSystem="{_MDC}"/>{value}</annotation>'
        "</component>"
    )
