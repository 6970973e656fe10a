"""Nothing of a person is in the log, however talkative it is and whatever goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.test_transports import free_port

NUMBER, NAME = "191212121212", "Tolvan Tolvansson"
SOURCES = """
[source.cases]
package = "municipal-csv"
name = "Cases"
hsa_id = "SE2120001348-T9001"
controller = "SE2120001348-T0000"
watch = "drop"
"""
HEADER = "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis"
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"system": "http://electronichealth.se/identifier/personnummer", "value": NUMBER}],
    "name": [{"text": NAME}],
}


@pytest.fixture
def talkative(tmp_path: Path) -> tuple[str, Path]:
    """A server that logs everything it can, and has been asked and sent all sorts of things; what it logged."""
    (tmp_path / "drop").mkdir()
    (tmp_path / "sources.toml").write_text(SOURCES, encoding="utf-8")
    port, log = free_port(), tmp_path / "log.txt"
    environment = os.environ | {"SAMVERKA_LOG_LEVEL": "debug", "SAMVERKA_SOURCES": "sources.toml"}
    with log.open("wb") as stderr:
        server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from gateway.cli import main; main()",
                "serve",
                "--port",
                str(port),
                "--database-url",
                "sqlite:///t.db",
            ],
            cwd=tmp_path,
            env=environment,
            stderr=stderr,
            stdout=stderr,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                ask_and_send(client, tmp_path / "drop")
        finally:
            server.terminate()
            server.wait(20)
    return log.read_text(encoding="utf-8"), tmp_path


def ask_and_send(client: httpx.Client, drop: Path) -> None:
    for _ in range(200):
        try:
            client.get("/ready")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    origin = {"origin": str(client.base_url).rstrip("/")}
    assert client.put("/fhir/Patient/p", json=PATIENT).status_code == 201
    assert client.get(f"/fhir/Patient?identifier={NUMBER}&name=Tolvan").json()["total"] == 1
    assert client.get(f"/fhir/Patient?{NUMBER}=Tolvan").status_code == 400
    assert client.get(f"/fhir/{NUMBER}/{NUMBER}").status_code == 404
    assert client.put("/fhir/Patient/p", json=PATIENT | {"birthDate": NAME}).status_code == 422
    assert client.post("/find", data={"number": NUMBER}, headers=origin).status_code == 303
    assert client.get(f"/patient/{NUMBER}", headers={"accept": "text/html"}).status_code == 404
    assert client.get("/fhir/Patient", headers={"authorization": f"Bearer {NUMBER}"}).status_code == 401
    assert client.get("/fhir/Patient", headers={"x-request-id": f"{NAME}"}).status_code == 200
    bad = f"{HEADER}\n{NUMBER};PNR;;;;{NAME};;\n".encode()
    for body in (bad, bad[:-40], b"\xff" + bad, f'"{NAME};{NUMBER}'.encode()):
        kept = client.post("/ingest/cases", content=body, headers={"content-type": "text/csv"})
        assert kept.status_code == 202
        for _ in range(100):
            told = client.get(kept.headers["location"])
            if told.json()["state"] != "received":
                break
            time.sleep(0.1)
        assert told.json()["issues"]
        assert not any(word in told.text for word in (NUMBER, *NAME.split()))
    (drop / f"{NUMBER} {NAME}.csv").write_bytes(bad)
    for _ in range(200):
        if any((drop / "done").glob("*.csv")):
            break
        time.sleep(0.1)
    assert any((drop / "done").glob("*.csv"))


def test_nothing_of_a_person_is_in_the_log(talkative: tuple[str, Path]) -> None:
    log, _ = talkative
    assert "file-kept" in log and "message-worked" in log and "caller-unknown" in log
    for word in (NUMBER, NUMBER[2:], *NAME.split()):
        assert not re.search(re.escape(word), log, re.IGNORECASE), [line for line in log.splitlines() if word in line]
