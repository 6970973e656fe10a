"""Who sends slowly: borne as long as something comes, and no longer than that, over real connections.

https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Message

from gateway.app import background, wire
from gateway.errors import RequestTimeout
from gateway.rest.patience import Pace, Patient
from gateway.settings import Settings
from tests.rest.test_wire import JSON, PATIENT, Line

SECONDS, LEAST = 1.0, 32
LARGE = json.dumps({"resourceType": "Patient", "name": [{"family": "A" * 400}]}).encode()


@pytest.fixture(scope="module")
def hasty(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that waits a second for 32 bytes."""
    path = tmp_path_factory.mktemp("hasty") / "hasty.db"
    shutil.copy(sqlite_template, path)
    gateway = wire(Settings(database_url=f"sqlite:///{path}", body_seconds=SECONDS, body_bytes=LEAST))
    with background(gateway) as base:
        assert httpx.post(f"{base}/fhir/Patient", timeout=60).status_code == 415  # All is loaded now.
        yield base
    gateway.close()


@pytest.mark.parametrize(
    "path", ["/fhir/Patient", "/fhir", "/fhir/Patient/$validate", "/fhir/$graphql", "/ingest/fhir-r4"]
)
def test_a_body_that_does_not_go_on_is_answered_with_408(hasty: str, path: str) -> None:
    """The connection, and what was read, was held as long as the sender liked."""
    with Line(hasty) as line:
        line.send(f"POST {path}", JSON, body=PATIENT[:20], length=len(PATIENT))
        assert line.refusal() == (408, "body-too-slow")
        assert line.is_over()


def test_a_form_that_does_not_go_on_is_answered_with_408(hasty: str) -> None:
    with Line(hasty) as line:
        line.send("POST /identity", f"Origin: {hasty}", body=b"identity=", length=40)
        status, body = line.answer()
        assert (status, b"<html" in body) == (408, True)
        assert line.is_over()


def test_a_byte_now_and_then_is_too_slow(hasty: str) -> None:
    with Line(hasty) as line:
        line.send("POST /fhir/Patient", JSON, length=len(LARGE))
        begun = time.monotonic()
        for byte in LARGE:
            line.socket.sendall(bytes([byte]))
            line.socket.settimeout(0.05)
            try:
                if line.socket.recv(1, 2):  # MSG_PEEK
                    break
            except TimeoutError:
                continue
        assert time.monotonic() - begun < 10 * SECONDS
        line.socket.settimeout(20)
        assert line.refusal() == (408, "body-too-slow")


def test_who_sends_slowly_and_honestly_is_read_however_long_it_takes(hasty: str) -> None:
    """In windows of a second, of which this takes several; it stands still for a while, too."""
    with Line(hasty) as line:
        line.send("POST /fhir/Patient", JSON, length=len(LARGE))
        begun = time.monotonic()
        for at in range(0, len(LARGE), LEAST):
            time.sleep(SECONDS / 4)
            line.socket.sendall(LARGE[at : at + LEAST])
        assert time.monotonic() - begun > 3 * SECONDS
        assert line.answer()[0] == 201
        line.send("POST /fhir/Patient", JSON, body=PATIENT)
        assert line.answer()[0] == 201


def test_a_head_that_does_not_end_is_answered_with_408(hasty: str) -> None:
    with Line(hasty) as line:
        line.socket.sendall(b"GET /fhir/Patient HTTP/1.1\r\nHost: loc")
        assert line.refusal() == (408, "head-too-slow")
        assert line.is_over()


def test_a_second_head_that_does_not_end_is_answered_with_408(hasty: str) -> None:
    with Line(hasty) as line:
        line.send("GET /fhir/Patient?_count=0")
        assert line.answer()[0] == 200
        line.socket.sendall(b"GET /fhir/Pat")
        assert line.refusal() == (408, "head-too-slow")
        assert line.is_over()


def test_who_says_nothing_is_left_without_a_word(hasty: str) -> None:
    with Line(hasty) as line:
        assert line.is_over()


def test_what_goes_on_after_its_answer_is_not_listened_to_without_end(hasty: str) -> None:
    """The bytes of a body that was refused kept the connection open."""
    with Line(hasty) as line:
        line.send("POST /fhir/Patient", "Content-Type: text/csv", body=b"x", length=1000)
        assert line.refusal() == (415, "media-type")
        begun = time.monotonic()
        with pytest.raises(OSError):  # It is reset, or broken.
            while time.monotonic() - begun < 20:
                line.socket.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - begun < 10 * SECONDS


def test_nobody_is_hurried_after_his_body_has_ended() -> None:
    """What streams for long asks meanwhile whether he has gone."""
    messages: list[Message] = [
        {"type": "http.request", "body": b"x", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        if len(messages) == 1:
            await asyncio.sleep(0.1)
        return messages.pop(0)

    async def told() -> list[str]:
        patient = Patient(receive, Pace(0.02, 1))
        return [str((await patient())["type"]) for _ in range(3)]

    assert asyncio.run(told()) == ["http.request", "http.request", "http.disconnect"]


def test_only_what_is_waited_for_is_counted() -> None:
    """While what came is worked on, or held up here, nobody is late."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": True}

    async def never() -> Message:
        await asyncio.sleep(10)
        raise AssertionError

    async def asked() -> None:
        patient = Patient(receive, Pace(0.05, 10))
        for _ in range(3):
            await patient()
            await asyncio.sleep(0.05)
        with pytest.raises(RequestTimeout):
            await Patient(never, Pace(0.01, 10))()

    asyncio.run(asked())
