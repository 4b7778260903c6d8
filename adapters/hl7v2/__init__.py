"""HL7 v2 messages, versions 2.3 to 2.8."""
