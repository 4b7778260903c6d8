"""What Dockerfile, docker-compose.yml and deploy/ name exists, fits together and is no secret."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
import yaml

from healthhub import reference, settings
from tests.deploy.image import (
    COMPOSE,
    OURS,
    ROOT,
    SERVICES,
    image_environment,
    instructions,
    of_stage,
    reaches_the_builder,
)

LONG_RUNNING = [name for name in SERVICES if name != "migrate"]


def variables() -> set[str]:
    """HEALTHHUB_* of both files."""
    named = set(image_environment())
    for service in SERVICES.values():
        named |= set(service.get("environment", {}))
    return {name for name in named if name.startswith("HEALTHHUB_")}


def test_every_variable_is_a_setting() -> None:
    known = set(re.findall(r"`(HEALTHHUB_[A-Z_]+)`", reference.table()))
    assert variables() - known == {settings.FILE_VARIABLE}
    assert len(variables()) > 8


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_lasting_service_is_probed_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_every_password_and_key_is_a_file() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        for variable, text in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY|URL", variable):
                assert variable.endswith("_FILE"), variable
                secret = text.removeprefix("/run/secrets/")
                assert secret in service["secrets"], variable
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("healthhub/cli.py", True),
        ("mappings/national/hl7v2/mapping.yaml", True),
        ("requirements.lock", True),
        ("secrets/tls_key", False),
        (".git/config", False),
        (".data/demo/credentials.json", False),
        ("healthhub/__pycache__/cli.cpython-311.pyc", False),
        ("healthhub.toml", False),
    ],
)
def test_the_builder_sees_code_and_mappings_only(path: str, taken: bool) -> None:
    assert reaches_the_builder(path) is taken


def test_what_a_service_mounts_joins_and_waits_for_exists() -> None:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            there = (
                (ROOT / source).exists() if source[0] == "." else source in COMPOSE["volumes"]
            )
            assert there, f"{name} mounts {source}"
        for network in service.get("networks", ()):
            assert network in COMPOSE["networks"], f"{name} joins {network}"
        for other, wait in service.get("depends_on", {}).items():
            kind = wait["condition"]
            assert kind != "service_healthy" or "healthcheck" in SERVICES[other], name
            assert kind != "service_completed_successfully" or other == "migrate", name


def test_the_database_is_on_the_inner_network_alone() -> None:
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert "ports" not in SERVICES["postgres"]
    assert "ports" not in SERVICES["hub"], "pages leave through the proxy only"


def test_ports_of_image_services_and_proxy_are_the_same() -> None:
    web = SERVICES["hub"]["environment"]["HEALTHHUB_WEB__PORT"]
    mllp = SERVICES["mllp"]["environment"]["HEALTHHUB_MLLP__PORT"]
    assert of_stage(-1, "EXPOSE") == [f"{web} {mllp}"]
    assert SERVICES["mllp"]["ports"] == [f"{mllp}:{mllp}"]
    caddy = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")
    assert f"reverse_proxy hub:{web}\n" in caddy
    published = {port.split(":")[1] for port in SERVICES["proxy"]["ports"]}
    assert published == set(re.findall(r"^https?://:(\d+) \{", caddy, re.MULTILINE))


def test_the_hub_believes_the_proxys_network_and_no_other() -> None:
    (subnet,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    believed = yaml.safe_load(SERVICES["hub"]["environment"]["HEALTHHUB_WEB__PROXIES"])
    assert believed == [subnet["subnet"]]
    assert [name for name, each in SERVICES.items() if "front" in each["networks"]] == [
        "hub",
        "proxy",
    ]


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_without_root_and_write_only_their_volume(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert [mount for mount in service["volumes"] if not mount.endswith(":ro")] == ["hub:/data"]
    last = [word for word, _ in instructions()[-1]]
    assert of_stage(-1, "USER") == ["10001"]
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert "USER" not in last[last.index("ENTRYPOINT") :]


def test_the_settings_of_postgresql_are_settings(connection: psycopg.Connection) -> None:
    given = dict(
        word.removeprefix("-c").split("=", 1)
        for word in SERVICES["postgres"]["command"]
        if word.startswith("-c")
    )
    rows = connection.execute(
        "select name from pg_settings where name = any(%s)", (list(given),)
    ).fetchall()
    assert {name for (name,) in rows} == set(given)


def test_postgresql_in_compose_tells_its_log_no_statement() -> None:
    command: list[Any] = SERVICES["postgres"]["command"]
    for quiet in (
        "-clog_min_error_statement=panic",
        "-clog_error_verbosity=terse",
        "-clog_parameter_max_length_on_error=0",
    ):
        assert quiet in command


def test_the_shipped_settings_are_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(settings.FILE_VARIABLE, str(ROOT / "deploy" / "healthhub.toml"))
    loaded = settings.load()
    for source in loaded.sources.values():
        assert (ROOT / "mappings" / source.mapping / "mapping.yaml").is_file()
