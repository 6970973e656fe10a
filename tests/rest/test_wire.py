"""What HTTP allows, and what is none, on a connection: never a 500, and an OperationOutcome where something is refused.

https://www.rfc-editor.org/rfc/rfc9110, https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
import tracemalloc
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.errors import TooLarge
from gateway.rest.packed import unpacked

PATIENT = json.dumps({"resourceType": "Patient", "name": [{"family": "Åström"}]}).encode()
JSON = "Content-Type: application/fhir+json"
UPGRADE = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)


class Line:
    """A connection to a server, on which bytes are sent as they are."""

    def __init__(self, address: str) -> None:
        self._host = urlsplit(address).netloc
        host, _, port = self._host.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, first: str, *headers: str, body: bytes = b"", length: int | None = None) -> None:
        """A request; `length` is what it says of its body, where that is not so."""
        said = len(body) if length is None else length
        lines = [f"{first} HTTP/1.1", f"Host: {self._host}", *headers, *([f"Content-Length: {said}"] if said else [])]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and its body."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = self.socket.recv(1)
            assert part, head
            head += part
        size = re.search(rb"(?i)content-length: (\d+)", head)
        body = b""
        while size and len(body) < int(size[1]):
            part = self.socket.recv(int(size[1]) - len(body))  # The next answer may have come with it.
            assert part, head
            body += part
        return int(head.split()[1]), body

    def refusal(self) -> tuple[int, Any]:
        """The next answer, which is an OperationOutcome: its status, and the code of its issue."""
        status, body = self.answer()
        outcome = json.loads(body)
        assert outcome["resourceType"] == "OperationOutcome"
        return status, outcome["issue"][0]["details"]["coding"][0]["code"]

    def is_over(self) -> bool:
        return self.socket.recv(1) == b""


def test_a_body_is_read_of_who_offers_another_protocol(standing_address: str) -> None:
    """Java's client offers HTTP/2 with each request; what it sent was read as an empty body."""
    with Line(standing_address) as line:
        for _ in range(2):
            line.send("POST /fhir/Patient", *UPGRADE, JSON, body=PATIENT)
            status, body = line.answer()
            assert (status, json.loads(body)["name"]) == (201, [{"family": "Åström"}])
        line.send("GET /fhir/Patient?_count=0", *UPGRADE)
        line.send("GET /fhir/Patient?_count=0")  # Before the first one is answered.
        assert [line.answer()[0] for _ in range(2)] == [200, 200]
        line.send("GET /fhir/Patient?_count=0", "Connection: close, Upgrade", "Upgrade: websocket")
        assert line.answer()[0] == 200
        assert line.is_over()


def test_a_body_may_come_after_the_head_that_offers_another_protocol(standing_address: str) -> None:
    with Line(standing_address) as line:
        line.send("POST /fhir/Patient", *UPGRADE, JSON, length=len(PATIENT))
        for at in range(0, len(PATIENT), 20):
            line.socket.sendall(PATIENT[at : at + 20])
        assert line.answer()[0] == 201


@pytest.mark.parametrize(
    "first",
    [
        "GET /fhir/Patient?name=\xe5",
        "GET /fhir/Patient/\x00",
        "GET /fhir/Patient?name=a b",
        f"GET /fhir/Patient?name={'a' * 70_000}",
        "FETCH /fhir/Patient",
    ],
    ids=["not ASCII", "NUL", "blank", "long", "method"],
)
def test_what_is_no_http_is_told_so_in_an_outcome(standing_address: str, first: str) -> None:
    with Line(standing_address) as line:
        line.send(first)
        assert line.refusal() == (400, "http-malformed")
        assert line.is_over()


def test_who_asks_before_he_sends_too_much_sends_nothing(standing_address: str) -> None:
    """He was told to go on."""
    with Line(standing_address) as line:
        line.send("POST /fhir/Patient", JSON, "Expect: 100-continue", length=10**12)
        assert line.refusal() == (413, "body-too-large")


def test_who_asks_before_he_sends_is_told_to_go_on(standing_address: str) -> None:
    with Line(standing_address) as line:
        line.send("POST /fhir/Patient", JSON, "Expect: 100-continue", length=len(PATIENT))
        assert line.answer()[0] == 100
        line.socket.sendall(PATIENT)
        assert line.answer()[0] == 201


@pytest.mark.parametrize("path", ["/fhir/Patient", "/fhir", "/fhir/Patient/$validate", "/ingest/fhir-r4", "/identity"])
def test_whose_connection_ends_before_his_body_did_nothing_that_the_log_must_tell(
    standing_address: str, path: str
) -> None:
    """It told of a fault of ours."""
    with capture_logs() as told, Line(standing_address) as line:
        line.send(f"POST {path}", JSON, f"Origin: {standing_address}", body=PATIENT, length=500)
        line.socket.shutdown(socket.SHUT_WR)
        line.socket.settimeout(20)
        line.socket.recv(65536)
    assert [one for one in told if one["log_level"] in ("error", "critical")] == []


PACKED = gzip.compress(PATIENT)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_what_gzip_packed_is_read(standing: httpx.Client, coding: str) -> None:
    """https://hl7.org/fhir/R4/http.html#general: it was refused."""
    headers = {"Content-Type": "application/fhir+json", "Content-Encoding": coding}
    for packed in (PACKED, gzip.compress(PATIENT[:9]) + gzip.compress(PATIENT[9:])):
        made = standing.post("/fhir/Patient", content=packed, headers=headers)
        assert (made.status_code, made.json()["name"]) == (201, [{"family": "Åström"}])
    kept = standing.post("/ingest/fhir-r4", content=PACKED, headers=headers)
    assert (kept.status_code, kept.json()["size"]) == (202, len(PATIENT)), "messages are kept as they are read"


def test_a_packed_bundle_and_form_and_deferred_request_are_read(standing: httpx.Client) -> None:
    def post(path: str, body: bytes, kind: str = "application/fhir+json", **more: str) -> httpx.Response:
        headers = {"content-type": kind, "content-encoding": "gzip"} | more
        return standing.post(path, content=gzip.compress(body), headers=headers)

    batch = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "Patient"}}]}
    assert post("/fhir", json.dumps(batch).encode()).json()["entry"][0]["response"]["status"].startswith("200")
    assert post("/fhir/Patient/_search", b"_count=0", "application/x-www-form-urlencoded").status_code == 200
    assert post("/fhir/Binary", b"note", "text/plain").status_code == 201
    later = post("/fhir", json.dumps(batch).encode(), prefer="respond-async").headers["content-location"]
    wait = time.monotonic() + 60
    while (answer := standing.get(later)).status_code == 202 and time.monotonic() < wait:
        time.sleep(0.05)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        pytest.param(gzip.compress(bytes(100_000_000)), (413, "body-too-large"), id="a bomb"),
        pytest.param(gzip.compress(bytes(999_999)) + gzip.compress(b"xx"), (413, "body-too-large"), id="two members"),
        pytest.param(gzip.compress(b"") * 30_000, (400, "gzip-broken"), id="members without number"),
        pytest.param(PATIENT, (400, "gzip-broken"), id="not packed"),
        pytest.param(PACKED[:-4], (400, "gzip-broken"), id="cut"),
        pytest.param(PACKED[:-8] + bytes(8), (400, "gzip-broken"), id="of another sum"),
        pytest.param(PACKED + b"x", (400, "gzip-broken"), id="with more behind"),
        pytest.param(gzip.compress(b"{"), (400, "json-syntax"), id="no JSON"),
    ],
)
def test_what_is_packed_wrongly_or_is_too_much_is_refused(
    standing: httpx.Client, body: bytes, refusal: tuple[int, str]
) -> None:
    """The bound of `max_body` is that of what it becomes: 100 KB were 100 MB."""
    headers = {"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"}
    refused = standing.post("/fhir/Patient", content=body, headers=headers)
    assert (refused.status_code, refused.json()["issue"][0]["details"]["coding"][0]["code"]) == refusal


def test_no_more_of_a_bomb_is_made_than_may_be() -> None:
    bomb = gzip.compress(bytes(200_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpacked(bomb, 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["/fhir/Patient", "/ingest/fhir-r4"])
@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, br", "zstd"])
def test_what_is_packed_otherwise_is_not_read(standing: httpx.Client, path: str, coding: str) -> None:
    """It was taken for what it is not: kept as a message that nobody can read."""
    headers = {"Content-Type": "application/fhir+json", "Content-Encoding": coding}
    refused = standing.post(path, content=PATIENT, headers=headers)
    assert (refused.status_code, refused.json()["issue"][0]["details"]["coding"][0]["code"]) == (415, "body-packed")
    assert refused.headers["Accept-Encoding"] == "gzip"
    assert standing.post(path, content=PATIENT, headers=headers | {"Content-Encoding": "identity"}).is_success


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Fri, 31 Dec 9999 23:59:59 GMT", 304),
        ("Fri, 31 Dec 9999 23:59:59 -1400", 304),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 200),
        ("Sun, 06 Nov 99999999999999 08:49:37 GMT", 200),
        ("Sun, 06 Nov 1994 08:49:37 +99999999999", 200),
        ("never", 200),
    ],
)
def test_no_date_breaks_a_read(standing: httpx.Client, since: str, status: int) -> None:
    at = standing.post("/fhir/Patient", json=json.loads(PATIENT)).headers["Location"].partition("/_history")[0]
    assert standing.get(at, headers={"If-Modified-Since": since}).status_code == status


@pytest.mark.parametrize("path", ["/", "/worklist", "/queue", "/inbox", "/api", "/nowhere", "/fhir/metadata", "/ready"])
def test_wherever_something_can_be_got_its_head_can(standing: httpx.Client, path: str) -> None:
    """Of pages it could not: what looks whether a server is there asks for `/` so."""
    got, head = standing.get(path), standing.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
