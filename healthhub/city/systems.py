"""The systems of the city that send otherwise than by HL7 v2; each has a file of its own."""

from __future__ import annotations

from healthhub.city.hospital_b_views import HospitalBViews
from healthhub.city.hospital_c import HospitalC
from healthhub.city.system import System
from healthhub.city.township_p import TownshipP, TownshipQ

SYSTEMS: tuple[System, ...] = (HospitalBViews(), HospitalC(), TownshipP(), TownshipQ())
