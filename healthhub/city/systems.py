"""The systems of the city that send otherwise than by HL7 v2; each has a file of its own."""

from __future__ import annotations

from healthhub.city.blood_station import BloodStation
from healthhub.city.cdc_immunisation import CdcImmunisation
from healthhub.city.drug_distribution import DrugDistribution
from healthhub.city.ecg_centres import HospitalAEcg, HospitalBEcg, RemoteEcg
from healthhub.city.emergency_120 import Emergency120
from healthhub.city.exam_vehicle import ExamVehicle
from healthhub.city.hospital_b_views import HospitalBViews
from healthhub.city.hospital_c import HospitalC
from healthhub.city.huts import HealthHut, HomeMonitors
from healthhub.city.insurance_settlement import InsuranceSettlement
from healthhub.city.pacs import HospitalAPacs, HospitalBPacs
from healthhub.city.provincial_platform import ProvincialPlatform
from healthhub.city.system import System
from healthhub.city.township_p import TownshipP, TownshipQ

SYSTEMS: tuple[System, ...] = (
    HospitalBViews(),
    HospitalC(),
    TownshipP(),
    TownshipQ(),
    CdcImmunisation(),
    ExamVehicle(),
    BloodStation(),
    Emergency120(),
    InsuranceSettlement(),
    DrugDistribution(),
    HospitalAPacs(),
    HospitalBPacs(),
    HospitalAEcg(),
    HospitalBEcg(),
    RemoteEcg(),
    HealthHut(),
    HomeMonitors(),
    ProvincialPlatform(),
)
