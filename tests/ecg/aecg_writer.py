"""Writes HL7 annotated ECGs as the implementation guide of 2005 has them, of invented people."""

from __future__ import annotations

from collections.abc import Sequence

MDC = "2.16.840.1.113883.6.24"
MEASURED = (
    ("MDC_ECG_HEART_RATE", "75", "bpm"),
    ("MDC_ECG_TIME_PD_PR", "160", "ms"),
    ("MDC_ECG_TIME_PD_QTc", "424", "ms"),
    ("MDC_ECG_ANGLE_QRS_FRONT", "-12", "deg"),
)


def sequence(code: str, samples: Sequence[int], *, unit: str = "uV", scale: str = "2.5") -> str:
    """A lead."""
    digits = "\n        ".join(
        " ".join(map(str, samples[i : i + 20])) for i in range(0, len(samples), 20)
    )
    return (
        f'<component><sequence classCode="OBS"><code code="{code}" codeSystem="{MDC}"/>'
        f'<value xsi:type="SLIST_PQ"><origin value="0" unit="{unit}"/>'
        f'<scale value="{scale}" unit="{unit}"/>\n<digits>{digits}</digits></value>'
        "</sequence></component>"
    )


def annotation(code: str, value: str) -> str:
    """A measurement or statement."""
    return (
        f'<component><annotation><code code="{code}" codeSystem="{MDC}"/>{value}'
        "</annotation></component>"
    )


def write(
    leads: Sequence[tuple[str, Sequence[int]]],
    *,
    increment: str = '<increment value="0.004" unit="s"/>',
    statements: Sequence[str] = ("窦性心律", "正常心电图"),
    measured: Sequence[tuple[str, str, str]] = MEASURED,
    subject: str = "P100471",
    declared: str = '<?xml version="1.0" encoding="UTF-8"?>\n',
    confirmed: str = "",
) -> bytes:
    """A document in UTF-8."""
    time = (
        '<component><sequence classCode="OBS"><code code="TIME_ABSOLUTE" '
        'codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="GLIST_TS">'
        f'<head value="20260302081530.000"/>{increment}</value></sequence></component>'
    )
    notes = [
        annotation(c, f'<value xsi:type="PQ" value="{v}" unit="{u}"/>') for c, v, u in measured
    ]
    notes += [
        annotation("MDC_ECG_INTERPRETATION_STATEMENT", f'<value xsi:type="ST">{text}</value>')
        for text in statements
    ]
    return (
        f'{declared}<AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Observation">'
        '<id root="61d1a24f-b47e-41aa-ae95-f8ac302f4ee1"/>'
        '<code code="93000" codeSystem="2.16.840.1.113883.6.12"/>'
        '<effectiveTime><low value="20260302081530.000"/></effectiveTime>'
        f"{confirmed}<componentOf><timepointEvent><componentOf><subjectAssignment><subject>"
        f'<trialSubject><id root="2.16.156.10011.2.5.1.4" extension="{subject}"/>'
        "<subjectDemographicPerson><name>陈望舒</name>"
        '<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>'
        '<birthTime value="19580307"/></subjectDemographicPerson></trialSubject></subject>'
        "</subjectAssignment></componentOf></timepointEvent></componentOf>"
        '<component><series><code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>'
        '<effectiveTime><low value="20260302081530.000"/></effectiveTime>'
        "<author><seriesAuthor><manufacturedSeriesDevice>"
        '<id root="1.2.3" extension="SN0042"/><manufacturerModelName>XJ-12</manufacturerModelName>'
        "</manufacturedSeriesDevice><manufacturerOrganization><name>星迦</name>"
        "</manufacturerOrganization></seriesAuthor></author>"
        f"<component><sequenceSet>{time}{''.join(sequence(c, s) for c, s in leads)}"
        "</sequenceSet></component>"
        f"<subjectOf><annotationSet>{''.join(notes)}</annotationSet></subjectOf>"
        "</series></component></AnnotatedECG>\n"
    ).encode()
