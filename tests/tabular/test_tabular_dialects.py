"""The dialects of tables: golden samples, and hospital B's views from its database to resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import sqlalchemy as sa

from healthhub import keep
from healthhub.convert import Converter
from healthhub.convert.samples import Sample, differences, outcome, samples
from healthhub.mapping.library import Library
from healthhub.model.ids import derive
from healthhub.pipeline import process
from healthhub.receive import tables
from healthhub.receive.poll import Poller
from healthhub.settings import Settings
from healthhub.store import query, reads

SHIPPED = Path(__file__).parents[2] / "mappings"
LIBRARY = Library(SHIPPED)
SAMPLES = [
    pytest.param(name, sample, id=f"{name}/{sample.path.name}")
    for name in ("township-p", "hospital-b-views")
    for sample in samples(LIBRARY, name)
]


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_a_sample_yields_what_it_did(name: str, sample: Sample) -> None:
    found = outcome(LIBRARY, name, sample)
    assert list(differences(sample.expected.read_bytes(), found)) == []


VIEWS = {
    "V_PATIENT": "patid hzxm sfzhm jkkh jkdabh xbdm xbmc csrq gxrq isdelete",
    "V_VISIT": "jzlsh patid jzlb mjzh zyh jzrqsj ryrqsj cyrqsj ksdm ksmc gxrq isdelete",
    "V_DIAGNOSIS": "zdlsh jzlsh patid jbdm jbmc zdlxbm zyzdbz yszdbz zdrq zgqk gxrq isdelete",
    "V_LAB_REPORT": "jybgdbh jzlsh patid dzsqdbh txdm bblbdm jylbdm jylbmc cjsj jybgrq shysqmsj "
    "gxrq isdelete",
    "V_LAB_RESULT": "jybgdbh jyxmdm jyxmmc jyjg jydljg jydljgjldw ckfw ts wjzbz gxrq isdelete",
    "V_PRESCRIPTION": "cfxh jzlsh patid cfklrq kfys cfzt gxrq isdelete",
    "V_PRESCRIPTION_LINE": "cfxh mxxh ywdm ywmc ywsycjl ywsyjldw ywsypcdm ywsytj cfyxts gxrq "
    "isdelete",
}
AT = "2024030510:00:00"
ROWS: dict[str, list[dict[str, Any]]] = {
    "V_PATIENT": [{"patid": "B1", "hzxm": "沈岚", "xbdm": "2", "csrq": "19680312"}],
    "V_VISIT": [{"jzlsh": "M1", "patid": "B1", "jzlb": "1", "jzrqsj": "2024030508:00:00"}],
    "V_DIAGNOSIS": [{"zdlsh": "D1", "jzlsh": "M1", "patid": "B1", "jbmc": "高血压"}],
    "V_LAB_REPORT": [{"jybgdbh": "R1", "jzlsh": "M1", "patid": "B1", "jylbmc": "血常规"}],
    "V_LAB_RESULT": [
        {"jybgdbh": "R1", "jyxmdm": "XCG01", "jyxmmc": "白细胞", "jyjg": "12.1", "ckfw": "4-10"}
        | {"jydljgjldw": "10^9/L", "ts": "↑", "jydljg": 12.1},
        {"jybgdbh": "R1", "jyxmdm": "OWN9", "jyxmmc": "自设", "jyjg": "阴性", "jydljg": 0},
    ],
    "V_PRESCRIPTION": [{"cfxh": "C1", "jzlsh": "M1", "patid": "B1", "cfklrq": "20240305"}],
    "V_PRESCRIPTION_LINE": [
        {"cfxh": "C1", "mxxh": n, "ywdm": f"Y{n}", "ywmc": name, "ywsycjl": 5, "ywsyjldw": "mg"}
        for n, name in (("1", "氨氯地平"), ("2", "阿司匹林"))
    ],
}


def hospital(path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for view, columns in VIEWS.items():
            names = columns.split()
            connection.execute(sa.text(f"create table {view} ({', '.join(names)})"))
            for row in ROWS[view]:
                whole = dict.fromkeys(names, "") | {"gxrq": AT, "isdelete": "0"} | row
                marks = ", ".join(f":{name}" for name in names)
                statement = f"insert into {view} values ({marks})"  # noqa: S608
                connection.execute(sa.text(statement), whole)
    return engine


def test_the_views_of_hospital_b_become_a_record_and_follow_its_changes(
    database: str, tmp_path: Path
) -> None:
    settings = Settings.model_validate(
        {
            "institutions": {"b": {"title": "泽安市中医医院"}},
            "sources": {
                "b-views": {
                    "institution": "b",
                    "adapter": "tabular",
                    "mapping": "hospital-b-views",
                    "database": {"url": f"sqlite:///{tmp_path}/b.db"},
                }
            },
        }
    )
    engine = hospital(tmp_path / "b.db")
    source = settings.sources["b-views"]
    assert source.database is not None
    poller = Poller(source.database, tables.taker(settings, "b-views"))
    converters = {"b-views": Converter("b-views", source, LIBRARY)}

    def turn(conn: psycopg.Connection) -> int:
        poller.poll(conn)
        done = process(conn, keep.claim(conn, range(256), 100), converters, 3)
        assert (done.parked, done.retried) == (0, 0)
        return done.done

    def stored(conn: psycopg.Connection, kind: str, *key: str) -> dict[str, Any]:
        found = query.fetch(conn, reads.by_id(kind, derive("b", kind, *key)))
        return orjson.loads(found.json)

    with tables.connected(database) as conn:
        assert turn(conn) == 5
        report = stored(conn, "DiagnosticReport", "R1")
        assert len(report["result"]) == 2
        assert report["encounter"]["reference"].startswith("Encounter/")
        white = stored(conn, "Observation", "R1", "XCG01")
        assert white["valueQuantity"]["value"] == 12.1
        assert white["valueQuantity"]["code"] == "10*9/L"
        assert white["code"]["coding"][0]["code"] == "6690-2"
        assert white["code"]["coding"][1]["display"] == "白细胞"
        assert stored(conn, "Observation", "R1", "OWN9")["valueString"] == "阴性"
        codes = conn.execute("select code, place, value from message_finding").fetchall()
        assert ("unknown-code", "RES[1]-jyxmdm", "OWN9") in codes
        drug = stored(conn, "MedicationRequest", "C1", "2")
        assert drug["medicationCodeableConcept"]["text"] == "阿司匹林"
        with engine.begin() as connection:
            connection.execute(sa.text("delete from V_LAB_RESULT where jyxmdm = 'OWN9'"))
            connection.execute(
                sa.text("update V_LAB_REPORT set gxrq = '2024030511:00:00', jylbmc = '改'")
            )
            connection.execute(
                sa.text("update V_DIAGNOSIS set gxrq = '2024030511:00:00', isdelete = '1'")
            )
        assert turn(conn) == 2
        assert stored(conn, "Observation", "R1", "OWN9")["status"] == "entered-in-error"
        condition = stored(conn, "Condition", "D1")
        assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
        assert turn(conn) == 0
    poller.close()
    engine.dispose()
