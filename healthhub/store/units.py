"""Units that can be converted into one another: common clinical units in UCUM's codes.

A line names what is measured and its units, each with its factor to the first. Units of one
line are commensurable; a temperature has an offset too. http://unitsofmeasure.org/ucum.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

UCUM = "http://unitsofmeasure.org"

_TABLE = """
mass: g=1 kg=1e3 dg=1e-1 mg=1e-3 ug=1e-6 ng=1e-9 pg=1e-12 fg=1e-15 t=1e6 [lb_av]=453.59237 [oz_av]=28.349523125
length: m=1 km=1e3 dm=1e-1 cm=1e-2 mm=1e-3 um=1e-6 nm=1e-9 [in_i]=0.0254 [ft_i]=0.3048
area: m2=1 cm2=1e-4 mm2=1e-6
volume: L=1 l=1 dL=1e-1 dl=1e-1 cL=1e-2 mL=1e-3 ml=1e-3 uL=1e-6 ul=1e-6 nL=1e-9 fL=1e-15 fl=1e-15 m3=1e3 cm3=1e-3
time: s=1 ms=1e-3 us=1e-6 min=60 h=3600 d=86400 wk=604800 mo=2629800 a=31557600
frequency: /s=1 Hz=1 /min=1/60 /h=1/3600 /d=1/86400
pressure: Pa=1 kPa=1e3 hPa=1e2 mbar=1e2 bar=1e5 mm[Hg]=133.322387415 cm[H2O]=98.0665 atm=101325
energy: J=1 kJ=1e3 cal=4.184 kcal=4184 [Cal]=4184
amount: mol=1 mmol=1e-3 umol=1e-6 nmol=1e-9 pmol=1e-12
fraction: 1=1 %=1e-2 [ppth]=1e-3 [ppm]=1e-6 L/L=1 g/g=1 mg/g=1e-3 ug/mg=1e-3 ug/g=1e-6 mg/mg=1
catalysis: kat/L=1 ukat/L=1e-6 nkat/L=1e-9 U/L=1e-6/60 mU/L=1e-9/60 kU/L=1e-3/60 U/mL=1e-3/60 U/dL=1e-5/60
effect: [IU]/L=1 [iU]/L=1 m[IU]/L=1e-3 m[iU]/L=1e-3 u[IU]/mL=1e-3 u[iU]/mL=1e-3 [IU]/mL=1e3 [iU]/mL=1e3 k[IU]/L=1e3 k[iU]/L=1e3 k[IU]/mL=1e6 [IU]/dL=10 [iU]/dL=10
density of cells: /L=1 10*3/L=1e3 10*6/L=1e6 10*9/L=1e9 10*12/L=1e12 /mL=1e3 /uL=1e6 10*3/mL=1e6 10*3/uL=1e9 10*6/uL=1e12 10*6/mL=1e9 K/uL=1e9 M/uL=1e12 /mm3=1e6
osmolality: osm/kg=1 mosm/kg=1e-3
equivalents: eq/L=1 meq/L=1e-3 ueq/L=1e-6 meq/dL=1e-2
molality: mol/kg=1 mmol/kg=1e-3 umol/kg=1e-6 nmol/kg=1e-9
molar ratio: mol/mol=1 mmol/mol=1e-3 umol/mol=1e-6 mmol/mmol=1
mass by molar: g/mol=1 mg/mmol=1 g/mmol=1e3 ug/mmol=1e-3
mass by weight: g/kg=1 mg/kg=1e-3 ug/kg=1e-6 ng/kg=1e-9
index of mass: kg/m2=1 g/m2=1e-3 g/cm2=10
flow: L/s=1 mL/s=1e-3 L/min=1/60 mL/min=1e-3/60 L/h=1/3600 mL/h=1e-3/3600 L/d=1/86400 mL/d=1e-3/86400
flow by surface: mL/min/{1.73_m2}=1 mL/s/{1.73_m2}=60 mL/min/1.73.m2=1 mL/min/1.73m2=1
speed: m/s=1 cm/s=1e-2 km/h=1/3.6 mm/h=1e-3/3600
excretion: g/d=1 mg/d=1e-3 ug/d=1e-6 g/(24.h)=1 mg/(24.h)=1e-3 ug/(24.h)=1e-6 mg/h=0.024 ug/min=0.00144
molar excretion: mol/d=1 mmol/d=1e-3 umol/d=1e-6 nmol/d=1e-9 mmol/(24.h)=1e-3 umol/(24.h)=1e-6
voltage: V=1 mV=1e-3 uV=1e-6
power: W=1 kW=1e3 mW=1e-3
radiation dose: Gy=1 cGy=1e-2 mGy=1e-3 Sv=1 mSv=1e-3
"""
_MASSES = {"kg": "1e3", "g": "1", "mg": "1e-3", "ug": "1e-6", "ng": "1e-9", "pg": "1e-12"}
_MOLES = {"mol": "1", "mmol": "1e-3", "umol": "1e-6", "nmol": "1e-9", "pmol": "1e-12"}
_VOLUMES = {
    "L": "1",
    "l": "1",
    "dL": "1e-1",
    "dl": "1e-1",
    "mL": "1e-3",
    "ml": "1e-3",
    "uL": "1e-6",
}
_KELVIN = Decimal("273.15")
_OFFSETS = {
    "K": (Decimal(1), Decimal(0)),
    "Cel": (Decimal(1), _KELVIN),
    "[degF]": (Decimal(5) / 9, _KELVIN - Decimal(160) / 9),
}
_ANNOTATION = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: what it measures, and value * factor + offset in the first unit of that."""

    measures: str
    factor: Decimal
    offset: Decimal = Decimal(0)


@cache
def _units() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        measures, _, listed = line.partition(": ")
        for item in listed.split():
            code, _, factor = item.rpartition("=")
            found[code] = Unit(measures, _factor(factor))
    for measures, above in (("mass concentration", _MASSES), ("molarity", _MOLES)):
        for top, over in above.items():
            for bottom, under in _VOLUMES.items():
                found[f"{top}/{bottom}"] = Unit(measures, Decimal(over) / Decimal(under))
    found |= {code: Unit("temperature", *both) for code, both in _OFFSETS.items()}
    return found


def _factor(text: str) -> Decimal:
    above, _, below = text.partition("/")
    return Decimal(above) / Decimal(below or 1)


def plain(code: str) -> str:
    """A code without its annotations ({beats}/min is /min), which have no meaning in UCUM."""
    if "{" not in code or code in _units():
        return code
    return _ANNOTATION.sub("", code) or "1"


def equal_amounts(
    low: Decimal, high: Decimal, code: str
) -> Iterator[tuple[str, Decimal, Decimal]]:
    """The same amounts in each unit that they can be converted to, the unit itself first."""
    yield code, low, high
    unit = _units().get(code)
    if unit is None:
        return
    for other, to in _units().items():
        if other != code and to.measures == unit.measures:
            yield other, _convert(low, unit, to), _convert(high, unit, to)


def _convert(value: Decimal, unit: Unit, to: Unit) -> Decimal:
    if not value.is_finite():
        return value
    return (value * unit.factor + unit.offset - to.offset) / to.factor
