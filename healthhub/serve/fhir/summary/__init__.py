"""The International Patient Summary: what of a record goes in, in which words, as one document.

IPS 2.0, http://hl7.org/fhir/uv/ips/STU2/ : ``choice`` picks and drops repeats, ``narrative``
writes the text, ``document`` ties all into a Bundle. All pure: the operation reads.
"""
