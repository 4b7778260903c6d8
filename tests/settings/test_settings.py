"""Settings: each is documented, an error at start names the one at fault, nothing is ignored."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from healthhub import cli, reference, settings
from healthhub.errors import SettingError
from healthhub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "a" * 64
SOURCE = '[institutions.h]\ntitle = "H"\n[sources.his]\ninstitution = "h"\nmapping = "x"\n'


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours and no file, whatever the tests run in."""
    for name in list(os.environ):
        if name.startswith(settings.PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def fault(text: str = "", **variables: str) -> SettingError:
    """What load says to a file and variables."""
    Path("healthhub.toml").write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"HEALTHHUB_{name}", value)
        with pytest.raises(SettingError) as caught:
            assert settings.load().dsn
    return caught.value


def test_without_file_and_variables_the_hub_listens_on_this_machine_alone() -> None:
    loaded = settings.load()
    assert (loaded.web.host, loaded.mllp.host, loaded.dsn) == ("127.0.0.1", "127.0.0.1", None)
    assert loaded.sources == {}


def test_a_variable_goes_before_the_file_and_the_file_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("healthhub.toml").write_text('[web]\nport = 1111\nprocesses = 3\nhost = "::1"\n')
    monkeypatch.setenv("HEALTHHUB_WEB__PORT", "2222")
    loaded = settings.load()
    assert (loaded.web_port, loaded.web.processes, loaded.web.host) == (2222, 3, "::1")
    monkeypatch.setenv("HEALTHHUB_PORT", "3333")
    assert settings.load().web_port == 3333


@pytest.mark.parametrize(
    ("text", "variables", "names"),
    [
        ("[web]\nport = 70000", {}, "web.port"),
        ("[web]\nprot = 1", {}, "web.prot"),
        ("colour = 1", {}, "colour"),
        ("", {"WEB__PORT": "many"}, "web.port"),
        ("", {"WEB__PROT": "1"}, "web.prot"),
        ("", {"PROT": "1"}, "HEALTHHUB_PROT"),
        ("", {"WEBB__PORT": "1"}, "HEALTHHUB_WEBB__PORT"),
        ("", {"SETTINGS": "/nonexistent.toml"}, "settings"),
        ("[web\n", {}, "settings"),
        ('language = "fr"', {}, "language"),
        ('[sources.his]\ninstitution = "h"\nmapping = "x"', {}, "settings"),
        (SOURCE + 'charset = "utf-88"', {}, "sources.his.charset"),
        (SOURCE + 'zone = "Asia/Shanghei"', {}, "sources.his.zone"),
        (SOURCE + 'token_sha256 = "secret"', {}, "sources.his.token_sha256"),
        (SOURCE + 'addresses = ["10.0.0.0/33"]', {}, "sources.his.addresses.0"),
        (SOURCE.replace("his", "His"), {}, "sources.His.[key]"),
        ("", {"MLLP__TLS_KEY": "key.pem"}, "mllp"),
        ("", {"MLLP__TLS_CLIENT_CA": "ca.pem"}, "mllp"),
        ("", {"DATABASE_URL_FILE": "/nonexistent"}, "database_url_file"),
        ("", {"DATABASE_URL": "postgresql://a/b", "DATABASE_URL_FILE": "f"}, "settings"),
    ],
)
def test_what_is_wrong_is_named(text: str, variables: dict[str, str], names: str) -> None:
    error = fault(text, **variables)
    assert (error.expression or "").startswith(names)
    assert names in error.message
    assert "\n\n" not in error.message


def test_a_list_in_a_variable_that_is_not_json_names_the_variable() -> None:
    error = fault(WEB__PROXIES="10.0.0.1")
    assert "HEALTHHUB_WEB__PROXIES is not JSON" in error.message


def test_an_unknown_institution_is_named_with_its_source() -> None:
    error = fault('[sources.his]\ninstitution = "h"\nmapping = "x"')
    assert "sources.his.institution: 'h' is not among [institutions]" in error.message


def test_no_error_repeats_a_secret() -> None:
    said = fault(SOURCE + 'token_sha256 = "my-secret-token"').message
    assert "my-secret" not in said
    wrong = {"DATABASE_URL": "postgresql://u:hunter2@h/d", "DATABASE_URL_FILE": "x"}
    assert "hunter2" not in fault(**wrong).message


def test_the_address_in_a_file_is_taken_without_its_line_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("url").write_text("postgresql://h/d\n")
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL_FILE", "url")
    assert settings.load().dsn == "postgresql://h/d"


def test_a_token_digest_is_accepted() -> None:
    Path("healthhub.toml").write_text(SOURCE + f'token_sha256 = "{DIGEST}"')
    token = settings.load().sources["his"].token_sha256
    assert token is not None
    assert token.get_secret_value() == DIGEST


def fields(model: type[BaseModel], prefix: str = "") -> list[tuple[str, Any]]:
    """All settings, as the reference names them."""
    found: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if name in ("database", "folder", "pacs"):
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += fields(kind, f"{prefix}{name}.")
        elif name in TABLES:
            found += fields(TABLES[name], f"{prefix}{name}.NAME.")
        else:
            found.append((f"{prefix}{name}", field))
    return found


TABLES = {
    "institutions": settings.Institution,
    "sources": settings.Source,
    "hooks": settings.Hook,
}


def test_every_setting_is_described_and_in_the_table_of_operations() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    shown = re.search(r"<!-- settings -->\n(.*?)<!-- /settings -->", page, re.DOTALL)
    assert shown is not None
    assert shown[1] == reference.table(), (
        "docs/operations.md is behind; replace its table by: healthhub settings --reference"
    )
    for name, field in fields(Settings):
        assert f"| `{name}` |" in shown[1]
        assert field.description, name
        assert field.description.endswith("."), name


def test_every_variable_of_the_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in re.findall(r"`(HEALTHHUB_[A-Z_]+)`", reference.table()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(variable, "slip")
            try:
                loaded = settings.load()
            except SettingError:
                continue
            assert "slip" in str(loaded.model_dump()) or loaded.database_url, variable


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["settings", "--check"], 0, "0 institutions, 0 sources, database embedded, in data"),
        (["settings", "--reference"], 0, "| `web.port` | `HEALTHHUB_WEB__PORT` | `8080` |"),
        (["--settings", "none.toml", "settings", "--check"], 2, "'none.toml' does not exist"),
    ],
)
def test_the_settings_command(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEALTHHUB_SETTINGS", "kept-by-the-test")
        patch.delenv("HEALTHHUB_SETTINGS")
        assert cli.main(words) == status
        os.environ.pop("HEALTHHUB_SETTINGS", None)
    said = capsys.readouterr()
    assert says in said.out + said.err


def test_the_check_names_a_mapping_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("healthhub.toml").write_text(SOURCE)
    assert cli.main(["settings", "--check"]) == 2
    assert "sources.his.mapping" in capsys.readouterr().err
