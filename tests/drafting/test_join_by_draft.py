"""A hospital that is in no demo joins by section 7 of docs/join-a-hospital.md, as data only."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import httpx
import psycopg
import pytest
import yaml
from serving import answering

from healthhub import cli, settings, worker
from healthhub.access import Purpose, Role, accounts, clients
from healthhub.main import build_app
from healthhub.settings import PACKAGE_ROOT
from tests.console.conftest import PASSWORD, signed_in
from tests.convert.test_join_a_hospital import PAGE, RESULT, run, soon

SECTION = PAGE.partition("\n## 7. ")[2]
SHELL = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
(MAPPING,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
PATIENTS = """\
brid,brxm,sfzhm,xb,csrq,lxdh,jtzz,scbz,gxsj,bzxx
W001,柳　月,42010619800307002X,2,19800307,13900000071,柳溪县河东路3号,0,2026-03-01 08:00:00,甲
W002,柯木生,,1,1951-06-02,,柳溪县柳溪镇,0,2026-03-01 08:00:00,乙
"""
VISITS = """\
jzlsh,brid,jzlb,jzsj,ksmc,ysxm,scbz,gxsj
J9001,W001,1,2026-03-01 08:30:00,心内科,石大夫,0,2026-03-01 09:00:00
J9002,W002,1,2026-03-01 08:40:00,内分泌科,石大夫,0,2026-03-01 09:00:00
"""
RESULTS = """\
bgdh,brid,xmdm,xmmc,jyjg,dw,ckfw,ts,jyrq
B501,W001,XDNG,空腹血糖,7.8,mmol/L,3.9-6.1,↑,2026-03-01
B501,W001,XJ,血钾,4.1,mmol/L,3.5-5.5,,2026-03-01
B502,W002,QTXM,自编项目,阴性,,阴性,,2026-03-01
"""
FILES = {"V_BRXX": PATIENTS, "V_JZJL": VISITS, "V_JYJG": RESULTS}


@pytest.fixture
def home(
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Path:
    """The hospital joined up to its last command; no Python of its own."""
    copytree(PACKAGE_ROOT / "mappings" / "national", tmp_path / "mappings" / "national")
    (tmp_path / "healthhub.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHHUB_SETTINGS", "healthhub.toml")
    monkeypatch.setenv("HEALTHHUB_MAPPINGS_DIR", str(tmp_path / "mappings"))
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    run(SHELL[0])
    said = capsys.readouterr().out
    declared = said[said.index("[institutions") : said.index("Drop samples")]
    inbox = declared.replace("/srv/inbox/willow", str(tmp_path))
    (tmp_path / "healthhub.toml").write_text(inbox, encoding="utf-8")
    for name, text in FILES.items():
        sample = tmp_path / "mappings" / "willow" / "samples" / f"{name}.gb18030.csv"
        sample.write_bytes(text.encode("gb18030"))
    run(SHELL[1])
    mapping = tmp_path / "mappings" / "willow" / "mapping.yaml"
    mapping.write_text(mapping.read_text("utf-8") + MAPPING, encoding="utf-8")
    return tmp_path


@pytest.fixture
def hub(home: Path, database: str) -> Iterator[httpx.Client]:
    stop = threading.Event()
    loaded = settings.load()
    part = threading.Thread(target=worker.run, args=(loaded, database, stop))
    part.start()
    with psycopg.connect(database, autocommit=True) as connection:
        token = clients.add(connection, "tool", [Role.SYSTEM], Purpose.TREAT)
        accounts.add(connection, "doctor", PASSWORD, [Role.CLINICIAN], "周医生")
    with answering(build_app(loaded, database)) as client:
        client.headers["authorization"] = f"Bearer {token}"
        yield client
    stop.set()
    part.join(20)


def test_its_patients_record_opens(
    home: Path, hub: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    run(SHELL[2])
    said = capsys.readouterr().out
    assert "3 samples accepted, 0 failed" in said
    assert re.search(r"T..-bzxx", said), "what no rule reads is told"
    (patient,) = soon(hub, "/fhir/Patient?identifier=42010619800307002X")
    assert patient["name"][0]["text"] == "柳月"
    assert patient["birthDate"] == "1980-03-07"
    assert patient["telecom"][0]["value"] == "13900000071"
    key = patient["id"]
    soon(hub, f"/fhir/Encounter?patient={key}&date=ge2026-03-01")
    tests = soon(hub, f"/fhir/Observation?patient={key}&code=1558-6")
    assert tests[0]["valueQuantity"]["value"] == 7.8
    assert tests[0]["interpretation"][0]["coding"][0]["code"] == "H"
    del hub.headers["authorization"]
    page = signed_in(hub, "doctor").get(f"/record/{key}").text
    assert "柳月" in page
    assert "空腹血糖" in page
    assert "7.8" in page


def test_a_draft_marks_each_guess_with_its_reason_and_quotes_no_value(home: Path) -> None:
    text = (home / "mappings/willow/draft.yaml").read_text("utf-8")
    assert "bzxx: no proposal" in text
    assert "assumed of every row" in text
    for value in (
        "柳月",
        "柳　月",
        "柯木生",
        "42010619800307002X",
        "13900000071",
        "XDNG",
        "J9001",
    ):
        assert value not in text
    lines = text.splitlines()
    for n, line in enumerate(lines):
        reads = re.search(r"- .* <- .*\bT[A-Z]{2}-(?!_state)", line)
        if reads:
            assert re.match(r"\s+# \d+%: ", lines[n - 1]), line
    yaml.safe_load(text)


def test_nothing_that_is_there_is_written_over(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (home / "mappings/willow/mapping.yaml").read_text("utf-8")
    assert cli.main(["source", "new", "willow", "--like", "csv"]) == 2
    assert cli.main(["map", "draft", "willow"]) == 2
    assert cli.main(["map", "draft", "willow", "--again"]) == 0
    assert (home / "mappings/willow/mapping.yaml").read_text("utf-8") == before
    for name, like in (("Willow", "csv"), ("other", "hospital-z"), ("../up", "csv")):
        assert cli.main(["source", "new", name, "--like", like]) == 2
    assert cli.main(["source", "new", "empty", "--like", "view"]) == 0
    assert cli.main(["map", "draft", "empty"]) == 2
    assert "drop some into it first" in capsys.readouterr().err


def test_messages_draft_what_differs_from_the_base(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["source", "new", "east", "--like", "hl7v2", "--title", "城东医院"]) == 0
    folder = home / "mappings" / "east"
    raw = RESULT.replace("\n", "\r").encode("gb18030")
    (folder / "samples" / "result.gb18030.hl7").write_bytes(raw)
    assert cli.main(["map", "draft", "east"]) == 0
    said = yaml.safe_load((folder / "draft.yaml").read_text("utf-8"))
    assert said["names"] == {"patient_number": "PID-3[5=PI].1", "visit": "PV1-50.1"}
    assert said["types"]["CX"]["rules"] == [
        'value <- .1 | resident_id if .5 = "SFZ"',
        'value <- .1 if .5 != "SFZ"',
    ]
    assert said["codes"]["identifier-type"]["map"]["SFZ"].startswith("NI|")
    (folder / "mapping.yaml").write_text(
        (folder / "mapping.yaml").read_text("utf-8") + "include: [draft.yaml]\n", "utf-8"
    )
    assert cli.main(["map", "check", "east"]) == 0
    assert cli.main(["map", "test", "east", "--accept"]) == 0
    outcome = next((folder / "samples").glob("*.json")).read_text("utf-8")
    assert outcome.count('"unknown-code"') == 3, "a test without its code is kept and told"
    assert '"code": ""' not in outcome
    tests = (folder / "tests.csv").read_text("utf-8").splitlines()
    assert tests == [
        "source,code,display,system",
        "ALT,,谷丙转氨酶,",
        "HBsAg,,乙肝表面抗原,",
        "XYZ,,院内自编项目,",
    ]


def test_where_only_a_person_can_choose_nothing_stands_and_the_draft_still_loads(
    home: Path,
) -> None:
    assert cli.main(["source", "new", "west", "--like", "hl7v2"]) == 0
    folder = home / "mappings" / "west"
    raw = RESULT.replace("E000123^^^^PI", "E000123^^^^1~777^^^^2").replace("^SFZ", "^3")
    raw = "\r".join(line for line in raw.splitlines() if not line.startswith("PV1"))
    (folder / "samples" / "result.gb18030.hl7").write_bytes(raw.encode("gb18030"))
    assert cli.main(["map", "draft", "west"]) == 0
    text = (folder / "draft.yaml").read_text("utf-8")
    assert text.count("# ? patient_number:") == 2
    assert "names" not in yaml.safe_load(text)
    assert yaml.safe_load(text)["codes"]["identifier-type"]["map"].keys() == {"3"}
    mapping = folder / "mapping.yaml"
    mapping.write_text(mapping.read_text("utf-8") + "include: [draft.yaml]\n", "utf-8")
    assert cli.main(["map", "check", "west"]) == 0
