"""Who is to be looked at: by time, by source, and by what is withheld of him."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.coordination.statements import Origin, make
from gateway.records import Resource, Statement
from gateway.store import SavedResource, Store, UnitOfWork

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def person(number: int) -> str:
    return f"p{number:02}"


def test_a_great_many_who_are_due_at_once_keep_nobody_else_waiting(store: Store) -> None:
    times = {person(n): NOW - timedelta(hours=1) for n in range(20)} | {
        "late": NOW,
        "later": NOW + timedelta(seconds=1),
    }
    store.write(lambda uow: uow.watch.expect(times))
    found = store.read(lambda uow: uow.watch.due(NOW, limit=6))
    assert set(found) >= {"p00", "p01", "p02", "late"}
    assert len(found) == len(set(found)) <= 6
    assert store.read(lambda uow: uow.watch.due(NOW - timedelta(hours=2), limit=6)) == []


def test_the_next_time_is_the_first_of_all(store: Store) -> None:
    assert store.read(lambda uow: uow.watch.next()) is None
    store.write(lambda uow: uow.watch.expect({"a": NOW + timedelta(hours=2), "b": NOW + timedelta(hours=1)}))
    assert store.read(lambda uow: uow.watch.next()) == NOW + timedelta(hours=1)
    store.write(lambda uow: uow.watch.expect({"b": None}))
    assert store.read(lambda uow: uow.watch.next()) == NOW + timedelta(hours=2)


def test_those_of_whom_a_source_has_spoken_are_found_page_by_page(store: Store) -> None:
    def save(uow: UnitOfWork) -> None:
        uow.resources.save(
            SavedResource(
                resource_type="Task",
                id=f"t{n}",
                resource=task(n),
                person=person(n),
                contributors=["a" if n % 2 else "b"],
            )
            for n in range(10)
        )

    store.write(save)
    found: list[set[str]] = []
    after: int | None = 0
    while after is not None:
        persons, after = store.read(lambda uow, after=after: uow.watch.of_source("a", after, limit=2))
        found.append(persons)
    assert [one for page in found for one in sorted(page)] == [person(n) for n in (1, 3, 5, 7, 9)]
    assert max(map(len, found)) == 2


def test_content_is_looked_into_as_it_is_and_as_it_was(store: Store) -> None:
    def save(uow: UnitOfWork, n: int, word: str) -> None:
        uow.resources.save([SavedResource(resource_type="Task", id=f"t{n}", resource=task(n, word), person=person(n))])

    for n, word in ((1, "plain"), (2, "secret"), (2, "plain"), (3, "secret")):
        store.write(lambda uow, n=n, word=word: save(uow, n, word))
    store.number_changes()
    rids = [one.rid for one in store.read(lambda uow: uow.changes.after(0))]
    assert store.read(lambda uow: uow.watch.holding(rids, b"secret")) == {person(2), person(3)}
    assert store.read(lambda uow: uow.watch.holding([], b"secret")) == set()


def test_of_persons_what_is_of_other_types_is_read_only_where_it_holds_the_bytes(store: Store) -> None:
    said = [statement("Task", 1, "x"), statement("Observation", 1, "x"), statement("Observation", 2, "secret")]
    store.write(lambda uow: uow.statements.add(said))
    found = store.read(
        lambda uow: uow.statements.of_persons([person(1), person(2)], ["Task"], holding=b"secret", since=NOW)
    )
    assert {(one.resource_type, one.person) for one in found} == {("Task", person(1)), ("Observation", person(2))}


def statement(kind: str, n: int, word: str) -> Statement:
    return make(
        body={"resourceType": kind, "id": f"{kind}{n}", "description": word},
        origin=Origin("a"),
        record_key=f"{kind}{n}",
        person=person(n),
        effective=NOW,
        recorded=NOW,
    )


def task(n: int, word: str = "") -> Resource:
    return {"resourceType": "Task", "status": "requested", "intent": "order", "description": word or f"{n}"}
