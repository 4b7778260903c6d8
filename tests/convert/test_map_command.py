"""healthhub map: check, test, try, coverage and functions, as an engineer uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversions import MAPPING, ORU, library

from healthhub import cli

REAL = Path(__file__).resolve().parents[2] / "mappings"
TABLES = REAL.parents[1] / "shared" / "corpora" / "v2-to-fhir"


def _map(folder: Path, *arguments: str) -> int:
    return cli.main(["map", "--mappings", str(folder), *arguments])


def _sample(folder: Path, name: str = "result.hl7", raw: bytes = ORU.encode()) -> Path:
    path = folder / "small" / "samples" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    return path


def test_samples_pass_once_accepted_and_fail_when_the_mapping_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    sample = _sample(tmp_path)
    assert _map(tmp_path, "test", "small") == 1
    assert "it has no expected outcome" in capsys.readouterr().out
    assert _map(tmp_path, "test", "small", "--accept") == 0
    assert '"value": 4.10' in sample.with_suffix(".json").read_text(encoding="utf-8")
    assert _map(tmp_path, "test", "--all") == 0
    assert "1 samples passed, 0 failed" in capsys.readouterr().out
    library(tmp_path, MAPPING.replace('"official"', '"usual"'))
    assert _map(tmp_path, "test", "small") == 1
    out = capsys.readouterr().out
    assert 'resources[0].name[0].use: expected "official", got "usual"' in out


def test_a_sample_tells_its_charset_in_its_name(tmp_path: Path) -> None:
    library(tmp_path)
    sample = _sample(tmp_path, "result.gb18030.hl7", ORU.encode("gb18030"))
    assert _map(tmp_path, "test", "small", "--accept") == 0
    expected = sample.with_suffix(".json").read_text(encoding="utf-8")
    assert "阴性（-）" in expected


def test_try_shows_each_element_beside_its_field_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    file = tmp_path / "two.hl7"
    file.write_bytes(ORU.encode() + ORU.replace("P1", "P9").encode())
    assert _map(tmp_path, "try", str(file), "--mapping", "small") == 0
    out = capsys.readouterr().out
    assert out.count("ORU^R01, 3 resources, mapping small 1") == 2
    row = next(line for line in out.splitlines() if "name[0].text" in line)
    assert row.split() == ["name[0].text", "张三", "PID[1]-5.1", "small/mapping.yaml:12"]


def test_check_tells_every_target_that_fhir_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    assert _map(tmp_path, "check", "small") == 0
    assert "2 resources, 10 rules" in capsys.readouterr().out
    broken = MAPPING.replace("birthDate <-", "birthday <-").replace("name[] <-", "name <-")
    library(tmp_path, broken)
    assert _map(tmp_path, "check", "small") == 1
    out = capsys.readouterr().out
    assert "Patient has no element birthday" in out
    assert "name is a list; write name[] or name[word]" in out


def test_coverage_lists_fields_of_samples_that_no_rule_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    _sample(tmp_path, raw=(ORU + "ZAB|1|local\rNTE|1||said\r").encode())
    assert _map(tmp_path, "coverage", "small", "--samples") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["ZAB", "(all", "of", "it)", "in", "1", "messages:", "ORU^R01"] in lines
    assert ["NTE", "(all", "of", "it)", "in", "1", "messages:", "ORU^R01"] in lines
    assert ["MSH-3", "in", "1", "messages:", "ORU^R01"] in lines
    assert not any(line[0].startswith(("OBX", "PID")) for line in lines)


@pytest.mark.skipif(
    not TABLES.is_dir(), reason="the official tables are not beside the repository"
)
def test_coverage_counts_the_official_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    assert _map(tmp_path, "coverage", "small", "--tables", str(TABLES)) == 0
    out = capsys.readouterr().out
    pid = next(line for line in out.splitlines() if "PID[Patient]" in line)
    assert pid.split()[1] == "4/29"
    assert "missing: PID-2 PID-4" in pid


def test_the_mappings_of_the_repository_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert _map(REAL, "check") == 0, capsys.readouterr().out


def test_functions_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["map", "functions"]) == 0
    assert "`\\| quantity(unit)`" in capsys.readouterr().out


def test_try_takes_the_charset_from_the_name_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    sample = _sample(tmp_path, "result.gbk.hl7", ORU.encode("gbk"))
    assert _map(tmp_path, "try", str(sample), "--mapping", "small") == 0
    assert "张三" in capsys.readouterr().out


def test_a_sample_in_an_unnamed_charset_is_told_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path)
    _sample(tmp_path, raw=ORU.encode("gb18030"))
    assert _map(tmp_path, "coverage", "small", "--samples") == 2
    assert "result.hl7: byte" in (told := capsys.readouterr().err)
    assert "says so in its name" in told
    assert _map(tmp_path, "test", "small", "--accept") == 0
    assert "small/samples/result.hl7: rejected: byte" in capsys.readouterr().out


def test_a_mapping_with_wrong_targets_does_not_pass_its_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path, MAPPING.replace("- birthDate <- PID-7 | date", "- birthDate <- PID-7"))
    _sample(tmp_path)
    assert _map(tmp_path, "test", "small", "--accept") == 1
    assert "birthDate is a date; add | date" in capsys.readouterr().out


def test_the_settings_are_wrong_when_a_source_names_no_mapping(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(
        '[institutions.a]\ntitle = "A"\n[sources.a-his]\ninstitution = "a"\nmapping = "aa"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("HEALTHHUB_SETTINGS", str(file))
    monkeypatch.setenv("HEALTHHUB_MAPPINGS_DIR", str(tmp_path))
    assert cli.main(["settings", "--check"]) == 2
    assert "sources.a-his.mapping: there is no mapping 'aa'" in capsys.readouterr().err
