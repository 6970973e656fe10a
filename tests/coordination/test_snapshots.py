"""Complete snapshots: what is no longer there is withdrawn, in whatever order the snapshots come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from gateway.coordination.agree import agree_all
from gateway.coordination.agreements import authority
from gateway.coordination.snapshots import Snapshot, follows
from gateway.coordination.statements import Origin, canonical, make
from gateway.records import Resource, Statement

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def row(key: str, day: float, body: Resource | None = None) -> Statement:
    visit = {"resourceType": "Encounter", "id": f"e-{key}", "identifier": [{"value": key}], "status": "planned"}
    when = START + day * DAY
    origin = Origin("town")
    return make(body=body or visit, origin=origin, record_key=key, person="p1", effective=when, recorded=when)


def snapshot(day: float, *keys: str) -> Snapshot:
    return Snapshot(START + day * DAY, frozenset(keys), f"message-{day}-{''.join(sorted(keys))}")


def kinds(said: list[Statement]) -> list[tuple[str, str, int]]:
    return sorted((one.record_key, one.kind, (one.effective - START).days) for one in said)


def test_a_record_that_is_no_longer_there_is_withdrawn() -> None:
    said = follows([snapshot(1, "a", "b"), snapshot(2, "a")], [row("a", 0), row("b", 0)], authority(), START)
    assert kinds(said) == [("b", "withdraw", 2)]


def test_a_record_that_came_back_is_stated_again() -> None:
    taken = [snapshot(1, "a"), snapshot(2), snapshot(3, "a")]
    said = follows(taken, [row("a", 0)], authority(), START)
    assert [one.resource["status"] for one in agree_all([row("a", 0), *said])] == ["planned"]
    assert kinds(said) == [("a", "assert", 3), ("a", "withdraw", 2)]


def test_a_person_is_not_withdrawn_with_a_row_about_him() -> None:
    patient = row("a", 0, {"resourceType": "Patient", "id": "p1"})
    said = follows([snapshot(1, "a"), snapshot(2)], [row("a", 0), patient], authority(), START)
    assert [one.resource_type for one in said] == ["Encounter"]


def test_a_unit_is_withdrawn_when_the_row_was_about_the_unit() -> None:
    unit = row("a", 0, {"resourceType": "Organization", "id": "o1"})
    assert len(follows([snapshot(1, "a"), snapshot(2)], [unit], authority(), START)) == 1


def test_snapshots_of_one_moment_hold_together_what_any_of_them_holds() -> None:
    rows = [row("a", 0), row("b", 0)]
    said = follows(
        [snapshot(1, "a", "b"), snapshot(2, "a"), snapshot(2, "b"), snapshot(3, "b")], rows, authority(), START
    )
    assert {(key, kind) for key, kind, day in kinds(said) if day == 3} == {("a", "withdraw")}
    agreed = {one.resource["identifier"][0]["value"]: one.resource["status"] for one in agree_all([*rows, *said])}
    assert agreed == {"a": "cancelled", "b": "planned"}


SNAPSHOTS = st.lists(
    st.tuples(st.integers(1, 4), st.frozensets(st.sampled_from("abc"))), min_size=2, max_size=4, unique=True
)
"""Several may be of one day."""


@given(SNAPSHOTS)
def test_snapshots_in_any_order_agree(taken: list[tuple[int, frozenset[str]]]) -> None:
    """Each arrival is held against its neighbours only, as in service."""
    rows = [row(key, 0) for key in "abc" if any(key in keys for _, keys in taken)]
    results = set()
    for arrivals in permutations(taken):
        known: list[Snapshot] = []
        said = {one.digest: one for one in rows}
        for day, keys in arrivals:
            known = sorted([*known, snapshot(day, *keys)], key=lambda one: one.as_of)
            at = START + day * DAY
            beside = {
                max((one.as_of for one in known if one.as_of < at), default=None),
                min((one.as_of for one in known if one.as_of > at), default=None),
            }
            near = [one for one in known if one.as_of == at or one.as_of in beside]
            said |= {one.digest: one for one in follows(near, rows, authority(), START)}
        results.add(canonical([one.resource for one in agree_all(said.values())]))
    assert len(results) == (1 if rows else len(results))
