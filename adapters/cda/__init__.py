"""The adapter for CDA documents (WS/T 500, WS/T 483) that come by themselves."""

from __future__ import annotations

from adapters.hl7v3 import Hl7v3

ADAPTER = Hl7v3("cda")
