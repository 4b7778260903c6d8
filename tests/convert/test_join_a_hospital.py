"""A third hospital joins by docs/join-a-hospital.md alone: its blocks are written and called."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import orjson
import pytest
from serving import answering

from healthhub import cli, settings, worker
from healthhub.access import Purpose, Role, clients
from healthhub.main import build_app
from healthhub.settings import PACKAGE_ROOT
from healthhub.store import database as store_database

PAGE = (PACKAGE_ROOT / "docs" / "join-a-hospital.md").read_text(encoding="utf-8")
MESSAGES, TABLES = PAGE.partition("\n## 7. ")[0].split("\n## 6. ")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", MESSAGES, re.DOTALL)
TABLE_BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", TABLES, re.DOTALL))
REGISTER = """\
溪口镇居民登记表,,,,,,
编号,姓名,身份证号,性别,出生日期,修改日期,状态
K1,王　小梅,42010619800307002X,女,1980年3月7日,2024/3/1,正常
K2,李木,,男,29221,2024-03-01,正常
"""
RESULT = """\
MSH|^~\\&|LIS|EAST|HUB|JC|20260301101500||ORU^R01|E1001|P|2.4
PID|1||42010619800307002X^^^^SFZ~E000123^^^^PI||王 小梅||19800307000000|2|||江城市汉口路8号^^^^430014||13971112222
PV1|1|O|^^^0301^消化内科||||D07^赵医生|||||||||||||||||||||||||||||||||||||||||||O20260301007
OBR|1|R77001|E77001|1001^肝功能^L|||20260301083000|||||||||||||||20260301101200||LAB|F
OBX|1|NM|ALT^谷丙转氨酶^L||56.0|U/L|9-50|H|||F|||20260301101000
OBX|2|ST|HBsAg^乙肝表面抗原^L||阴性|||N|||F|||20260301101000
OBX|3|ST|XYZ^院内自编项目^L||见报告||||||F|||20260301101000
"""


def blocks(kind: str) -> list[str]:
    """The page's blocks of a kind, in order."""
    return [text for name, text in BLOCKS if name == kind]


def commands(block: str) -> list[list[str]]:
    """The arguments of each ``healthhub ...`` line."""
    lines = [shlex.split(line, comments=True) for line in block.splitlines() if line.strip()]
    assert all(line[0] == "healthhub" for line in lines)
    return [line[1:] for line in lines]


@pytest.fixture
def home(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the settings of the page and the national mappings; no Python of its own."""
    copytree(PACKAGE_ROOT / "mappings" / "national", tmp_path / "mappings" / "national")
    (tmp_path / "healthhub.toml").write_text(blocks("toml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHHUB_SETTINGS", "healthhub.toml")
    monkeypatch.setenv("HEALTHHUB_MAPPINGS_DIR", str(tmp_path / "mappings"))
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    return tmp_path


@pytest.fixture
def hub(home: Path, database: str) -> Iterator[httpx.Client]:
    """Web and a worker, started when the page says so: by the test's first request."""
    stop = threading.Event()
    loaded = settings.load()
    part = threading.Thread(target=worker.run, args=(loaded, database, stop))
    part.start()
    with store_database.connect(database) as connection:
        token = clients.add(connection, "tool", [Role.SYSTEM], Purpose.TREAT)
    with answering(build_app(loaded, database)) as client:
        client.headers["authorization"] = f"Bearer {token}"
        yield client
    stop.set()
    part.join(20)


def run(block: str) -> None:
    """Each command of a block succeeds."""
    for arguments in commands(block):
        assert cli.main(arguments) == 0, arguments


def write(home: Path) -> None:
    """The mapping as the page ends with it."""
    begun, differences = blocks("yaml")
    (home / "mappings/east/mapping.yaml").write_text(begun + differences, encoding="utf-8")
    (home / "mappings/east/tests.csv").write_text(blocks("csv")[0], encoding="utf-8")


def begin(home: Path) -> None:
    """Sections 1 to 3: declared, begun, samples collected."""
    samples = home / "mappings" / "east" / "samples"
    samples.mkdir(parents=True)
    (samples.parent / "mapping.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    raw = RESULT.replace("\n", "\r").encode("gb18030")
    (samples / "result.gb18030.hl7").write_bytes(raw)


def test_the_page_is_followed_to_the_letter(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(home)
    declared, collected, tested, replayed = blocks("sh")
    run(declared)
    run(collected)
    said = capsys.readouterr().out
    assert "ORU^R01, 10 resources, mapping east 1" in said
    assert "OBX[1]-5, OBX[1]-6" in said
    write(home)
    run(tested)
    assert "1 samples passed, 0 failed" in capsys.readouterr().out
    (outcome,) = (home / "mappings/east/samples").glob("*.json")
    told = orjson.loads(outcome.read_bytes())
    assert told["findings"] == [
        {"severity": "warning", "code": "unknown-code", "where": "OBX[3]-3", "value": "XYZ"}
    ]
    run(replayed)
    assert "replay: 0 messages" in capsys.readouterr().out


def soon(hub: httpx.Client, path: str) -> list[dict[str, Any]]:
    """The resources of a search, once there are any."""
    for _ in range(400):
        found = hub.get(path).json().get("entry", [])
        if found:
            return [entry["resource"] for entry in found]
        threading.Event().wait(0.05)
    raise AssertionError(f"{path} stays empty")


def test_its_message_opens_as_fhir(home: Path, request: pytest.FixtureRequest) -> None:
    begin(home)
    write(home)
    hub: httpx.Client = request.getfixturevalue("hub")
    assert cli.main(["load", "east-lis", "mappings/east/samples/result.gb18030.hl7"]) == 0
    tests = soon(hub, "/fhir/Observation?_sort=_id")
    by_code = {test["code"]["coding"][0]["code"]: test for test in tests}
    assert by_code.keys() == {"1742-6", "5195-3", "XYZ"}
    enzyme = by_code["1742-6"]
    assert enzyme["valueQuantity"]["code"] == "U/L"
    assert enzyme["code"]["text"] == "谷丙转氨酶"
    antigen = by_code["5195-3"]
    assert antigen["valueString"] == "阴性"
    assert antigen["interpretation"][0]["coding"][0]["code"] == "NEG", "not: normal"
    (patient,) = soon(hub, "/fhir/Patient?identifier=42010619800307002X")
    numbers = {(i["system"], i["value"]) for i in patient["identifier"]}
    assert numbers == {
        ("urn:oid:2.16.156.10011.1.3", "42010619800307002X"),
        ("urn:healthhub:id:east:PI", "E000123"),
    }
    assert patient["name"] == [{"text": "王小梅"}]
    (visit,) = soon(hub, f"/fhir/Encounter?patient={patient['id']}")
    assert [i["value"] for i in visit["identifier"]] == ["O20260301007"]
    assert enzyme["subject"]["reference"] == f"Patient/{patient['id']}"
    assert enzyme["meta"]["source"].startswith("urn:healthhub:source:east-lis#")
    everything = hub.get(f"/fhir/Patient/{patient['id']}/$everything").json()
    assert everything["entry"]


def test_a_clinic_with_tables_joins_as_data_only(
    home: Path, capsys: pytest.CaptureFixture[str], database: str
) -> None:
    (home / "healthhub.toml").write_text(TABLE_BLOCKS["toml"], encoding="utf-8")
    samples = home / "mappings" / "creek" / "samples"
    samples.mkdir(parents=True)
    (samples.parent / "mapping.yaml").write_text(TABLE_BLOCKS["yaml"], encoding="utf-8")
    (samples / "居民登记.gb18030.csv").write_bytes(REGISTER.encode("gb18030"))
    run(TABLE_BLOCKS["sh"])
    said = capsys.readouterr().out
    assert "PAT[1]-姓名" in said
    assert "2 done, 0 known before, 0 parked, 0 rejected" in said
    told = orjson.loads(next(samples.glob("*.json")).read_bytes())
    assert [each["birthDate"] for each in told["resources"]] == ["1980-03-07", "1980-01-01"]
    assert told["findings"] == []
