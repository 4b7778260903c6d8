"""What the tests of bulk export and import share: a hub with its bulk process, and a client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from serving import answering

from healthhub.access import Purpose, Role, clients
from healthhub.bulk import process
from healthhub.main import build_app
from healthhub.settings import Settings
from healthhub.store import database as store_database

ASYNC = {"prefer": "respond-async"}
Resources = list[dict[str, Any]]


def settings_of(folder: Path, **bulk: Any) -> Settings:
    """Settings of a hub whose files are in the folder."""
    return Settings.model_validate({"data_dir": folder, "bulk": bulk})


def token(database: str, name: str = "warehouse", role: Role = Role.SYSTEM) -> str:
    """The bearer token of a new client."""
    with store_database.connect(database) as connection:
        return clients.add(connection, name, [role], Purpose.PUBHLTH)


@contextmanager
def at_work(settings: Settings, database: str) -> Iterator[None]:
    """The bulk process, in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(settings, database, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def serving(settings: Settings, database: str) -> Iterator[httpx.Client]:
    """The application, and a client with all rights."""
    with answering(build_app(settings, database)) as client:
        client.headers["authorization"] = f"Bearer {token(database)}"
        yield client


def kicked(
    client: httpx.Client,
    path: str,
    params: Any = None,
    body: Any = None,
    headers: Mapping[str, str] = ASYNC,
) -> str:
    """Kick a job off; its address."""
    if body is None:
        answer = client.get(f"/fhir/{path}", params=params, headers=headers)
    else:
        answer = client.post(f"/fhir/{path}", params=params, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.content == b""
    return answer.headers["content-location"]


def outcome(client: httpx.Client, job: str, seconds: float = 30) -> httpx.Response:
    """Poll until the job is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = client.get(job)
        if answer.status_code != 202:
            return answer
        assert answer.headers["x-progress"]
        assert int(answer.headers["retry-after"]) > 0
        time.sleep(0.05)
    raise AssertionError(f"the job is not over within {seconds} s")


def manifest(client: httpx.Client, job: str) -> dict[str, Any]:
    """The manifest of a job that ends well."""
    answer = outcome(client, job)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def lines(client: httpx.Client, files: list[dict[str, Any]]) -> Resources:
    """All resources of the files, each count checked."""
    found: Resources = []
    for file in files:
        answer = client.get(file["url"])
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/fhir+ndjson")
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert len(rows) == file["count"]
        assert {row["resourceType"] for row in rows} == {file["type"]}
        found += rows
    return found


def exported(
    client: httpx.Client, path: str, params: Any = None, body: Any = None
) -> Resources:
    """Everything that an export writes."""
    return lines(client, manifest(client, kicked(client, path, params, body))["output"])


def put(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Store a resource under its own id."""
    answer = client.put(f"/fhir/{body['resourceType']}/{body['id']}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def patient(fhir_id: str, **more: Any) -> dict[str, Any]:
    """A Patient."""
    return {"resourceType": "Patient", "id": fhir_id, "name": [{"text": f"陈{fhir_id}"}]} | more


def observation(fhir_id: str, of: str, value: str = "5.10", **more: Any) -> dict[str, Any]:
    """A result of a patient."""
    return {
        "resourceType": "Observation",
        "id": fhir_id,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0"}]},
        "subject": {"reference": f"Patient/{of}"},
        "valueString": value,
    } | more


def group(fhir_id: str, *members: dict[str, Any]) -> dict[str, Any]:
    """A Group of patients."""
    return {
        "resourceType": "Group",
        "id": fhir_id,
        "type": "person",
        "actual": True,
        "member": list(members),
    }


def member(of: str, **more: Any) -> dict[str, Any]:
    """A member of a Group."""
    return {"entity": {"reference": f"Patient/{of}"}} | more


def parameters(**values: Any) -> dict[str, Any]:
    """A Parameters of texts."""
    given = [
        {"name": name, "valueString": one}
        for name, value in values.items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    return {"resourceType": "Parameters", "parameter": given}


def ids(found: Resources, kind: str = "") -> set[str]:
    """The ids of the resources, or of those of a type."""
    named = [f"{one['resourceType']}/{one['id']}" for one in found]
    assert len(named) == len(set(named)), "a resource comes twice"
    return {one["id"] for one in found if not kind or one["resourceType"] == kind}
