"""Identifiers belong to whom they were given first; Patients point to persons, and are re-pointed."""

from __future__ import annotations

import pytest

from gateway.store import Store

NUMBER = ("Patient", "http://electronichealth.se/identifier/personnummer", "191212121212")
SAME_VALUE = ("Patient", "urn:oid:1.2.752.129.2.1.4.1#SE2321000131-S000000000101", "191212121212")


def test_an_identifier_is_found_under_its_type_system_and_value(store: Store) -> None:
    assert store.write(lambda unit: unit.identifiers.claim({NUMBER: "p1"})) == {NUMBER: "p1"}
    other_type = ("RelatedPerson", *NUMBER[1:])
    assert store.read(lambda unit: unit.identifiers.find([NUMBER, SAME_VALUE, other_type])) == {NUMBER: "p1"}
    assert store.read(lambda unit: unit.identifiers.find([])) == {}


def test_the_first_claim_holds(store: Store) -> None:
    store.write(lambda unit: unit.identifiers.claim({NUMBER: "p1"}))
    claims = {NUMBER: "p2", SAME_VALUE: "p2"}
    assert store.write(lambda unit: unit.identifiers.claim(claims)) == {NUMBER: "p1", SAME_VALUE: "p2"}


def test_patients_point_to_persons_and_are_re_pointed(store: Store) -> None:
    store.write(lambda unit: unit.persons.point({"p1": "a", "p2": "b"}))
    store.write(lambda unit: unit.persons.point({"p2": "a", "p1": "a"}))
    assert store.read(lambda unit: unit.persons.of_patients(["p1", "p2", "p3"])) == {"p1": "a", "p2": "a"}
    assert store.read(lambda unit: unit.persons.patients_of(["a", "b"])) == {"a": ["p1", "p2"]}


def test_the_namespace_and_the_secrets_stay_as_they_were_made(database_url: str) -> None:
    with Store.open(database_url) as store:
        namespace, secret, other = store.namespace(), store.secret("paging"), store.secret("another")
    with Store.open(database_url) as store:
        assert (store.namespace(), store.secret("paging")) == (namespace, secret)
        assert store.read(lambda unit: unit.meta.namespace()) == namespace
    assert len({secret, other}) == 2


def test_meta_is_put_and_got(store: Store) -> None:
    store.write(lambda unit: unit.meta.put("name", b"1"))
    store.write(lambda unit: unit.meta.put("name", b"2"))
    assert store.read(lambda unit: unit.meta.get("name")) == b"2"
    assert store.read(lambda unit: unit.meta.get("unknown")) is None


@pytest.mark.parametrize("text", ["map 'a' to 'b'", "å\u0000"])
def test_maps_are_archived_once_under_their_hash(store: Store, text: str) -> None:
    archive = lambda unit: unit.maps.archive("h1", package="maeva", version="1.0.0", files={"maps/a.fml": text})  # noqa: E731
    assert [store.write(archive), store.write(archive)] == [True, False]
    kept = store.read(lambda unit: unit.maps.get("h1"))
    assert (kept.package, kept.version, dict(kept.files)) == ("maeva", "1.0.0", {"maps/a.fml": text})
    assert store.read(lambda unit: unit.maps.get("h2")) is None
