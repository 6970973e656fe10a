"""A record that is read anew by another map says what the newer map makes of it, and nothing else, from the first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.mapping import Packages
from tests.ingest.inlet import NOW, Inlet
from tests.ingest.maps import CLASS, STATUS, visits, write

HELD = "src.state as v check (v = 'planned') -> enc.status = v \"status\";"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mappings"


@pytest.fixture
def inlet(database_url: str, folder: Path) -> Iterator[Inlet]:
    opened = Inlet.open(database_url, maps=write(folder))
    yield opened
    opened.close()


def use(inlet: Inlet, packages: Packages) -> str:
    """Take the package as it is now; its hash. A minute passes."""
    inlet.now += timedelta(minutes=1)
    inlet.ingest._packages.take(packages["visits"])  # type: ignore[attr-defined]
    return packages["visits"].hash


def said(inlet: Inlet) -> dict[str, str]:
    """Each visit's agreed status."""
    return {one["identifier"][0]["value"]: one["status"] for one in inlet.resources("Encounter")}


def proven(inlet: Inlet) -> bool:
    return inlet.rebuilt().different == []


def test_a_replay_whose_map_now_holds_the_record_retracts_what_it_said(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished"), ("2", "planned")))
    assert said(inlet) == {"1": "finished", "2": "planned"}

    use(inlet, write(folder, HELD, CLASS))
    again = inlet.replay(sent.id)

    assert again.states == ["held", "done"]
    assert said(inlet) == {"2": "planned"}
    assert proven(inlet)


def test_the_retraction_is_a_statement_that_can_be_seen(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished")))
    hash = use(inlet, write(folder, HELD, CLASS))
    inlet.replay(sent.id)

    kinds = [(one.kind, one.turn, one.map_hash == hash) for one in inlet.read(lambda uow: list(uow.statements.all()))]
    assert kinds == [("assert", 0, False), ("retract", 1, True)]


def test_what_is_held_now_leaves_what_the_record_said_at_an_earlier_time(inlet: Inlet, folder: Path) -> None:
    inlet.send("visits", visits(("1", "planned")))
    later = inlet.send("visits", visits(("1", "finished"), time="2026-03-02T08:00:00+01:00"))
    assert said(inlet) == {"1": "finished"}

    use(inlet, write(folder, HELD, CLASS))
    inlet.replay(later.id)

    assert said(inlet) == {"1": "planned"}
    assert proven(inlet)


def test_a_map_that_is_taken_back_gives_back_what_it_gave(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished")))
    other = "src -> enc.status = 'cancelled' \"status\";"
    for rules, status in ((other, "cancelled"), (STATUS, "finished"), (other, "cancelled"), (STATUS, "finished")):
        use(inlet, write(folder, rules, CLASS))
        inlet.replay(sent.id)
        assert said(inlet) == {"1": status}
    assert proven(inlet)


def test_a_clock_that_stands_still_makes_no_difference(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished")))
    for rules, expected in ((HELD, {}), (STATUS, {"1": "finished"})):
        use(inlet, write(folder, rules, CLASS))
        inlet.now = NOW
        inlet.replay(sent.id)
        assert said(inlet) == expected


def test_a_replay_that_changes_nothing_states_nothing(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished"), ("2", "planned")))
    before = inlet.read(lambda uow: uow.statements.count())
    use(inlet, write(folder, STATUS, CLASS, version="2"))
    inlet.replay(sent.id)
    inlet.replay(sent.id)

    assert inlet.read(lambda uow: uow.statements.count()) == before


def test_a_record_that_turns_out_to_be_about_something_else_leaves_nothing_behind(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished")))
    use(inlet, write(folder, system="http://example.org/other"))
    inlet.replay(sent.id)

    systems = [one["identifier"][0]["system"] for one in inlet.resources("Encounter")]
    assert systems == ["http://example.org/other"]
    assert proven(inlet)


def test_another_key_for_the_record_leaves_nothing_behind(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished")))
    use(inlet, write(folder, "src -> enc.status = 'cancelled' \"status\";", CLASS, key="'visit-' + id"))
    inlet.replay(sent.id)

    assert said(inlet) == {"1": "cancelled"}
    assert proven(inlet)


def test_records_that_the_message_no_longer_has_are_superseded(inlet: Inlet, folder: Path) -> None:
    sent = inlet.send("visits", visits(("1", "finished"), ("2", "planned")))
    write(folder)
    manifest = folder / "visits/map.yaml"
    manifest.write_text(manifest.read_text().replace("{format: json}", "{format: er7}"))  # As which nothing is read.
    use(inlet, Packages.load(folder))
    again = inlet.replay(sent.id)

    assert (again.state, again.states) == ("held", ["superseded", "superseded"])
    assert said(inlet) == {}
    assert proven(inlet)

    use(inlet, write(folder))
    assert inlet.replay(sent.id).states == ["done", "done"]
    assert said(inlet) == {"1": "finished", "2": "planned"}


def test_the_message_says_which_version_mapped_it(inlet: Inlet, folder: Path) -> None:
    first = inlet.ingest._packages["visits"].hash
    sent = inlet.send("visits", visits(("1", "finished")))
    assert sent.entry.map_hash == first

    second = use(inlet, write(folder, version="2"))
    assert inlet.replay(sent.id).entry.map_hash == second


def test_what_was_known_before_the_replay_stays_known_of_then(inlet: Inlet, folder: Path) -> None:
    from gateway.coordination.as_of import as_of

    sent = inlet.send("visits", visits(("1", "finished")))
    then = inlet.now
    use(inlet, write(folder, HELD, CLASS))
    inlet.replay(sent.id)
    statements = inlet.read(lambda uow: list(uow.statements.all()))

    before = [one for one in as_of(statements, at=inlet.now, known_at=then) if not one.deleted]
    after = [one for one in as_of(statements, at=inlet.now, known_at=inlet.now) if not one.deleted]
    assert [one.resource["status"] for one in before] == ["finished"]
    assert after == []


def test_a_batch_that_stops_holds_the_message_and_leaves_the_rest_untried(inlet: Inlet, folder: Path) -> None:
    write(folder, HELD, CLASS)
    manifest = folder / "visits/map.yaml"
    manifest.write_text(manifest.read_text() + "onError: {record: stop}\n")
    use(inlet, Packages.load(folder))
    sent = inlet.send("visits", visits(("1", "planned"), ("2", "finished"), ("3", "planned")))

    assert (sent.state, sent.states) == ("held", ["done", "held"])
    assert sent.entry.issues[0].rule == "batch-stopped"
    assert said(inlet) == {"1": "planned"}

    use(inlet, write(folder))
    assert inlet.replay(sent.id).states == ["done", "done", "done"]
    assert said(inlet) == {"1": "planned", "2": "finished", "3": "planned"}
