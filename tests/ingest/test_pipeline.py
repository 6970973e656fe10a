"""A message is worked through item by item: what cannot be used is held with its issue, and the others go on."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.coordination.recorder import Recorder
from gateway.issues import Issues
from gateway.mapping import Package
from gateway.records import Statement
from tests.ingest.inlet import Inlet
from tests.ingest.samples import alarm, dispatch, municipal, visit


def test_an_item_that_cannot_be_used_is_held_and_the_others_go_on(inlet: Inlet) -> None:
    sent = inlet.send("municipal-csv", municipal(visit("B-1"), visit("B-2", status="KANSKE"), visit("B-3")))

    assert sent.states == ["done", "held", "done"]
    assert "unmapped-code" in sent.rules
    assert inlet.statuses() == {"B-1": "accepted", "B-3": "accepted"}


def test_what_comes_before_the_fault_of_a_truncated_message_is_used(inlet: Inlet) -> None:
    sent = inlet.send("dispatch-json", dispatch(alarm("1"), alarm("2"))[:-40])

    assert (sent.state, sent.states) == ("held", ["done"])
    assert sent.rules == ["malformed-json"]
    assert inlet.statuses() == {"IV-1": "requested"}


def test_the_same_message_again_makes_no_new_statement(inlet: Inlet) -> None:
    body = municipal(visit("B-1"), visit("B-2"))
    first = inlet.send("municipal-csv", body)
    statements, versions = inlet.read(lambda uow: (uow.statements.count(), uow.changes.last()))
    again = inlet.send("municipal-csv", body)

    assert first.states == again.states == ["done", "done"]
    assert inlet.read(lambda uow: (uow.statements.count(), uow.changes.last())) == (statements, versions)


def test_a_large_message_is_worked_in_ranges_and_every_item_is_there_once(inlet: Inlet) -> None:
    rows = [visit(f"B-{n}") for n in range(250)]
    sent = inlet.send("municipal-csv", municipal(*rows))

    assert [item.seq for item in sent.items] == list(range(250))
    starts = [len(municipal(*rows[:n])) for n in (0, 1, 2)]
    assert [item.span for item in sent.items[:2]] == [(starts[0], starts[1] - 1), (starts[1], starts[2] - 1)]
    assert len(inlet.statuses()) == 250


def test_a_source_that_is_not_configured_any_more_is_held_until_it_is(inlet: Inlet) -> None:
    kept = inlet.keep("dispatch-json", dispatch(alarm("1")))
    sources = inlet.ingest._sources
    inlet.ingest._sources = type(sources)([])
    inlet.drain()
    assert (inlet.sent(kept).state, inlet.sent(kept).rules) == ("held", ["source-not-configured"])

    inlet.ingest._sources = sources
    assert inlet.replay(kept).states == ["done"]
    assert inlet.statuses() == {"IV-1": "requested"}


BREAKS = "18:2"


def broken_apply(self: Package, record: Any, *args: Any, **kwargs: Any) -> Any:
    if record.node.text("alarm") == BREAKS:
        raise RuntimeError("a fault of the mapping engine")
    return _apply(self, record, *args, **kwargs)


def broken_record(self: Recorder, uow: Any, statements: list[Statement], **kwargs: Any) -> Any:
    if any(one.record_key == f"alarm/{BREAKS}" for one in statements):
        raise RuntimeError("a fault of the fold")
    return _record(self, uow, statements, **kwargs)


_apply, _record = Package.apply, Recorder.record
FAULTS = [(Package, "apply", broken_apply), (Recorder, "record", broken_record)]


@pytest.mark.parametrize(("owner", "name", "fault"), FAULTS, ids=["mapping", "recording"])
def test_a_record_that_breaks_the_gateway_is_held_alone(
    inlet: Inlet, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, fault: Any
) -> None:
    first = inlet.keep("dispatch-json", dispatch(alarm("18:1"), alarm(BREAKS), alarm("18:3")))
    second = inlet.keep("dispatch-json", dispatch(alarm("18:4")))
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, fault)
        inlet.drain()

    assert inlet.sent(first).states == ["done", "held", "done"]
    assert inlet.sent(first).rules == ["unforeseen"]
    assert inlet.sent(second).states == ["done"]
    assert set(inlet.statuses()) == {"IV-18:1", "IV-18:3", "IV-18:4"}
    assert inlet.replay(first).states == ["done", "done", "done"]
    assert inlet.rebuilt().different == []


def test_a_message_that_breaks_its_reader_is_held_and_the_others_go_on(
    inlet: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (inlet.keep("dispatch-json", dispatch(alarm(id))) for id in ("1", "2"))
    bodies = inlet.read(lambda uow: uow.inbox.get(first)).body

    def read(form: Any, body: bytes, issues: Issues, *more: Any) -> Any:
        if body == bodies:
            raise RuntimeError("a fault of the reader")
        return _read(form, body, issues, *more)

    from gateway import formats

    _read = formats.read
    with monkeypatch.context() as patched:
        patched.setattr(formats, "read", read)
        inlet.drain()

    assert (inlet.sent(first).state, inlet.sent(first).rules) == ("held", ["unforeseen"])
    assert inlet.sent(second).states == ["done"]
    assert inlet.replay(first).states == ["done"]


@pytest.mark.parametrize(
    "record",
    [alarm("a\0b"), alarm(description="a\0b"), alarm("2", unit="SE\0"), alarm("2", sender={"hsaId": "SE\0"})],
    ids=["key", "text", "unit", "party"],
)
def test_a_value_that_the_database_cannot_keep_holds_its_item_alone(inlet: Inlet, record: dict[str, Any]) -> None:
    """PostgreSQL keeps no NUL; what SQLite keeps is used."""
    kept = inlet.keep("dispatch-json", dispatch(alarm("1"), record, alarm("3")))
    inlet.drain()
    sent = inlet.sent(kept)

    assert [sent.states[0], sent.states[2]] == ["done", "done"]
    assert sent.state == "done"
    assert sent.states[1] == "done" or any(issue.severity == "error" for issue in sent.items[1].issues)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "0000-00-00T00:00:00"])
def test_a_time_at_the_end_of_the_calendar_is_no_fault_of_the_gateway(inlet: Inlet, time: str) -> None:
    sent = inlet.send("dispatch-json", dispatch(alarm("1", time=time)))

    assert "unforeseen" not in sent.rules
    assert inlet.rebuilt().different == []


def test_a_message_larger_than_a_chunk_is_kept_and_read_whole(inlet: Inlet) -> None:
    """Bytes above 16 MB lie in pieces."""
    text = "x" * (9 * 1024 * 1024)
    body = dispatch(alarm("1", note=text), alarm("2", note=text + "å"))
    sent = inlet.send("dispatch-json", body)

    assert len(body) > 16 * 1024 * 1024
    assert inlet.read(lambda uow: uow.inbox.get(sent.id)).body == body
    assert sent.states == ["done", "done"]
