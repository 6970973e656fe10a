"""$import: files that are fetched or sent, each line written in the caller's name or told, in the background.

https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.access.importing import MOST_WAITING, Importing, Input
from gateway.app import Gateway, background, wire
from gateway.errors import NotFound, Unavailable
from gateway.identity.systems import HSA_ID
from gateway.jobs.runner import TRIES
from gateway.rest import fetch
from gateway.settings import Settings
from gateway.store import UnitOfWork
from tests.rest.conftest import FHIR, REGION
from tests.rest.test_export import LATER, observation, rule

NDJSON = {"content-type": "application/fhir+ndjson"} | LATER
JSON = {"content-type": "application/json"} | LATER


def lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in resources)


def patient(id: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id, **more}


LARGE = lines(*(patient(f"l{n}") for n in range(5000)))


def done(client: httpx.Client, accepted: httpx.Response) -> dict[str, Any]:
    """The manifest, once the import is done."""
    assert accepted.status_code == 202, accepted.text
    for _ in range(400):
        status = client.get(accepted.headers["content-location"])
        if status.status_code != 202:
            break
        assert status.headers["retry-after"] and status.headers["x-progress"]
        time.sleep(0.02)
    assert status.status_code == 200, status.text
    found: dict[str, Any] = status.json()
    return found


def refused(client: httpx.Client, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Rule and place of each line that was not imported."""
    found = []
    for one in manifest["error"]:
        outcomes = [json.loads(line) for line in client.get(one["url"]).text.splitlines()]
        assert len(outcomes) == one["count"]
        issues = [issue for outcome in outcomes for issue in outcome["issue"]]
        found += [(issue["details"]["coding"][0]["code"], issue["diagnostics"]) for issue in issues]
    return found


class Files(BaseHTTPRequestHandler):
    """Serves what is put there by path: a status, and a body."""

    held: ClassVar[dict[str, list[tuple[int, bytes]]]] = {}
    """The answers in turn; the last one goes on being given. Of a negative status the end is missing."""
    codings: ClassVar[set[str | None]] = set()
    """The ways of packing that were asked for."""

    waits: ClassVar[threading.Event] = threading.Event()
    """What the answer behind /slow waits for."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.waits.wait(30)
        self.codings.add(self.headers["accept-encoding"])
        answers = self.held.get(self.path, [(404, b"")])
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(abs(status))
        if status == 302:
            self.send_header("location", "/patients")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if status > 0 else body[: len(body) * 4 // 5])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetching(database_url: str, files: str) -> Iterator[Gateway]:
    wired = wire(Settings(database_url=database_url, import_hosts=files, import_bytes=100_000, max_body=100_000))
    yield wired
    wired.close()


@pytest.fixture
def client(fetching: Gateway) -> Iterator[httpx.Client]:
    with background(fetching) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as made:
        yield made


def test_a_file_that_is_sent_is_imported_line_by_line(operator: httpx.Client) -> None:
    body = lines(patient("anna", active=True), patient("bo", gender="m"), observation("o", "anna"))
    made = done(operator, operator.post("/fhir/$import", content=body, headers=NDJSON))
    assert made["request"].endswith("/fhir/$import")
    assert made["output"] == [{"inputUrl": "the body", "count": 2}]
    assert refused(operator, made) == [("required-binding", "line 2")]
    assert operator.get("/fhir/Patient/anna").json()["active"] is True
    assert operator.get("/fhir/Patient/bo").status_code == 404


def test_files_are_fetched_from_hosts_that_are_named(client: httpx.Client, files: str) -> None:
    Files.held = {
        "/patients": [(200, lines(patient("a"), patient("b")))],
        "/packed": [(200, gzip.compress(lines(observation("o", "a"), patient("c"))))],
        "/moved": [(302, b"")],
        "/large": [(200, LARGE)],
        "/bomb": [(200, gzip.compress(LARGE))],
    }
    asked = {
        "inputFormat": "application/fhir+ndjson",
        "inputSource": "https://ehr.example",
        "storageDetail": {"type": "https"},
        "input": [
            {"type": "Patient", "url": f"{files}/patients"},
            {"type": "Observation", "url": f"{files}/packed"},
            *({"url": f"{files}/{name}"} for name in ("none", "moved", "large", "bomb")),
        ],
    }
    made = done(client, client.post("/fhir/$import", json=asked, headers=JSON))
    assert [(one.get("type"), one["count"]) for one in made["output"][:4]] == [
        ("Patient", 2),
        ("Observation", 1),
        (None, 0),
        (None, 0),
    ]
    rules = [found for found, _ in refused_rules(client, made)]
    assert rules == ["resource-type-differs", "import-fetch", "import-fetch", "import-too-large", "import-too-large"]
    assert Files.codings == {"identity"}, "what is packed on the way is unpacked before its size is known"
    assert client.get("/fhir/Observation/o").status_code == 200


def refused_rules(client: httpx.Client, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for one in manifest["error"]:
        for line in client.get(one["url"]).text.splitlines():
            found += [(issue["details"]["coding"][0]["code"], one["inputUrl"]) for issue in json.loads(line)["issue"]]
    return found


def test_what_is_sent_packed_is_as_long_as_it_is_unpacked(client: httpx.Client) -> None:
    few, many = lines(patient("few")), gzip.compress(LARGE)
    for told in ({}, {"Content-Encoding": "gzip"}):
        order = client.post("/fhir/$import", content=gzip.compress(few), headers=NDJSON | told)
        assert done(client, order)["error"] == []
    assert len(many) < 100_000 < len(LARGE)
    assert rule(client.post("/fhir/$import", content=many, headers=NDJSON), 413) == "import-too-large"
    assert client.get("/fhir/Patient/l1").status_code == 404


def test_a_host_that_gives_bytes_one_by_one_is_not_waited_for_for_ever(
    files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    Files.held = {"/patients": [(200, lines(patient("a")))]}
    with (
        pytest.raises(Unavailable, match="too slow"),
        fetch.Fetcher(files, 1000).open(f"{files}/patients") as stream,
    ):
        stream.read()


def test_an_import_that_waits_for_its_host_keeps_no_export_waiting(client: httpx.Client, files: str) -> None:
    Files.held, Files.waits = {"/slow": [(200, lines(patient("late")))]}, threading.Event()
    imported = client.post("/fhir/$import", json={"input": [{"url": f"{files}/slow"}]}, headers=JSON)
    exported = client.get("/fhir/$export", headers=LATER)
    try:
        for _ in range(200):
            if (status := client.get(exported.headers["content-location"]).status_code) == 200:
                break
            time.sleep(0.02)
        assert status == 200
        assert client.get(imported.headers["content-location"]).status_code == 202
    finally:
        Files.waits.set()
    assert done(client, imported)["output"][0]["count"] == 1


def test_the_manifest_may_be_parameters(client: httpx.Client, files: str) -> None:
    Files.held = {"/patients": [(200, lines(patient("a")))]}
    part = [{"name": "type", "valueCode": "Patient"}, {"name": "url", "valueUrl": f"{files}/patients"}]
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "inputFormat", "valueCode": "ndjson"}, {"name": "input", "part": part}],
    }
    made = done(client, client.post("/fhir/$import", json=body, headers=LATER))
    assert made["output"] == [{"type": "Patient", "inputUrl": f"{files}/patients", "count": 1}]
    assert made["error"] == []


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"input": [{"url": "https://files.example/a"}]}, "import-host-not-allowed"),
        ({"input": [{"url": "file:///etc/passwd"}]}, "import-host-not-allowed"),
        ({"input": [{"url": "https://127.0.0.1@files.example/a"}]}, "import-host-not-allowed"),
        ({"input": [{"url": "http://[::1"}]}, "import-host-not-allowed"),
        ({"input": [{"url": " https://files.example/a"}]}, "import-url-malformed"),
        ({"input": [{"url": "https://files.example/a\tb"}]}, "import-url-malformed"),
        ({"input": []}, "input-missing"),
        ({"input": {"url": "x"}}, "input-missing"),
        ({"input": [{"type": "Patient"}]}, "parameter-malformed"),
        ({"input": [{"type": "Animal", "url": "https://files.example/a"}]}, "unknown-resource-type"),
        ({"inputFormat": "text/csv", "input": [{"url": "https://files.example/a"}]}, "format-not-offered"),
        ({"resourceType": "Parameters"}, "parameter-missing"),
    ],
)
def test_what_is_not_asked_rightly_is_refused(operator: httpx.Client, body: Any, wrong: str) -> None:
    assert rule(operator.post("/fhir/$import", json=body, headers=JSON), 400) == wrong


def test_an_import_is_asked_for_with_respond_async(operator: httpx.Client) -> None:
    answer = operator.post("/fhir/$import", content=b"", headers={"content-type": "application/fhir+ndjson"})
    assert rule(answer, 400) == "respond-async-missing"


def test_an_organisation_imports_what_it_may_write_and_only_it_is_told(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    mine, others = client_of(REGION), client_of("SE2120001348-T0100")
    operator.put("/fhir/Patient/anna", json=patient("anna"))
    body = lines({"resourceType": "Organization", "id": "o", "name": "O"}, observation("o", "anna"))
    accepted = mine.post("/fhir/$import", content=body, headers=NDJSON)
    made = done(mine, accepted)
    assert made["output"][0]["count"] == 0
    assert [where for _, where in refused(mine, made)] == ["line 1", "line 2"]
    for other in (others, operator):
        for url in (accepted.headers["content-location"], made["error"][0]["url"]):
            assert rule(other.get(url), 404) == "import-unknown"
        assert rule(other.delete(accepted.headers["content-location"]), 404) == "import-unknown"
    assert mine.delete(accepted.headers["content-location"]).status_code == 202
    assert rule(mine.get(accepted.headers["content-location"]), 404) == "import-unknown"


def test_a_line_is_decided_on_by_itself_as_a_request_is(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    mine = client_of(REGION)
    operator.put("/fhir/Patient/anna", json=patient("anna"))
    about = {"subject": {"reference": "Patient/anna"}, "intent": "order", "status": "active"}
    asked = {
        "resourceType": "ServiceRequest",
        "id": "r",
        "requester": {"identifier": {"system": HSA_ID, "value": REGION}},
        **about,
    }
    part = {"resourceType": "CarePlan", "id": "part", "partOf": [{"reference": "CarePlan/whole"}], **about}
    whole = {"resourceType": "CarePlan", "id": "whole", **about}
    made = done(mine, mine.post("/fhir/$import", content=lines(asked, part, whole), headers=NDJSON))
    assert refused(mine, made) == [("plan-whole-unknown", "line 2")]
    assert made["output"][0]["count"] == 2


def test_a_host_that_does_not_answer_is_asked_again_and_nothing_is_written_twice(database_url: str, files: str) -> None:
    wired = wire(Settings(database_url=database_url, import_hosts=files, worker=False))
    body = lines(*(patient(f"p{n}") for n in range(700)))
    try:
        with background(wired) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as client:
            # The connection breaks half-way; then the host is away for a while.
            Files.held = {"/all": [(-200, body), (503, b""), (200, body)]}
            accepted = client.post("/fhir/$import", json={"input": [{"url": f"{files}/all"}]}, headers=JSON)
            (job,) = wired.store.read(lambda uow: uow.jobs.of_kind("import"))
            assert client.get(accepted.headers["content-location"]).headers["x-progress"] == "waiting"
            for _ in range(2):
                with pytest.raises(Unavailable):
                    wired.door.run_import(job)
                assert client.get(accepted.headers["content-location"]).headers["x-progress"] == "500 lines done"
            wired.door.run_import(job)
            wired.door.run_import(job)
            made = done(client, accepted)
            assert made["output"][0]["count"] == 700
            assert wired.store.read(lambda uow: uow.statements.count()) == 700
    finally:
        wired.close()


def test_an_import_that_comes_further_by_each_try_is_not_given_up(database_url: str) -> None:
    def die() -> None:
        raise InterruptedError

    wired = wire(Settings(database_url=database_url, worker=False))
    asking = Asking(OPERATOR, "import", request_id="test")
    try:
        body = lines(*(patient(f"p{n}") for n in range(300)))
        id = wired.door.order_import(asking, [Input("the body")], url="", base="", body=body)
        for _ in range(2):
            for _ in range(TRIES - 1):
                wired.store.write(lambda uow: uow.jobs.claim("who died", ["import"], lease=timedelta()))
            with pytest.raises(InterruptedError):
                wired.door.go_on_with_kept(asking, id, 0, die)
        runner = wired.jobs()
        while not runner.run_due():
            time.sleep(0.02)
        assert wired.door.imported(asking, id).total.stored == 300
    finally:
        wired.close()


def test_imports_that_came_to_nothing_are_forgotten_and_keep_no_other_waiting(database_url: str) -> None:
    wired = wire(Settings(database_url=database_url, worker=False, export_hours=1e-9))
    asking = Asking(OPERATOR, "import", request_id="test")

    def order() -> str:
        return wired.door.order_import(asking, [Input("the body")], url="", base="", body=lines(patient("a")))

    def fail(uow: UnitOfWork) -> None:
        job = uow.jobs.claim("who gives up", ["import"], lease=timedelta(minutes=1))
        assert job is not None
        uow.jobs.finish(job.number, "who gives up", state="failed")

    try:
        ids = [order() for _ in range(MOST_WAITING)]
        for _ in ids:
            wired.store.write(fail)
        waiting = order()
        for id in ids:
            with pytest.raises(NotFound):
                wired.door.imported(asking, id)
        order()
        assert wired.door.imported(asking, waiting).ended is None, "what is still to be done is not forgotten"
    finally:
        wired.close()


def _import_and_die(url: str) -> None:
    done, once = [], Importing._once

    def die(self: Any, *given: Any, **more: Any) -> None:
        once(self, *given, **more)
        done.append(True)
        if len(done) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    Importing._once = die  # type: ignore[method-assign]
    wire(Settings(database_url=url, worker=False)).jobs(lease=timedelta(seconds=0.5)).run_due()


def test_a_server_that_is_killed_leaves_the_import_to_the_next_who_does_the_rest(database_url: str) -> None:
    wired = wire(Settings(database_url=database_url, worker=False))
    asking = Asking(OPERATOR, "import", request_id="test")
    try:
        body = lines(*(patient(f"p{n}") for n in range(700)))
        id = wired.door.order_import(asking, [Input("the body")], url="", base="", body=body)
        child = multiprocessing.get_context("fork").Process(target=_import_and_die, args=(database_url,))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        assert wired.door.imported(asking, id).total.done == 300
        runner = wired.jobs()
        while not runner.run_due():
            time.sleep(0.02)  # Until the dead one's lease has ended.
        found = wired.door.imported(asking, id)
        assert (found.ended is not None, found.total.stored) == (True, 700)
        assert wired.store.read(lambda uow: uow.statements.count()) == 700
    finally:
        wired.close()
