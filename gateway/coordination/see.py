"""From statements to the picture: agreed as of a time, read as facts; and what is missing in it, and until when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from gateway.coordination import agreements, gaps
from gateway.coordination.agreements import Agreement, Authority
from gateway.coordination.as_of import as_of
from gateway.coordination.as_stored import Thing
from gateway.coordination.directory import Directory
from gateway.coordination.due import next_look
from gateway.coordination.facts import Heard
from gateway.coordination.gap import Gap
from gateway.coordination.over import without_what_is_over
from gateway.coordination.picture import Picture, picture
from gateway.coordination.statements import standing
from gateway.identity.resolve import Key
from gateway.records import Link, Resource, Statement
from gateway.store import Stored


def see(
    patient: Resource,
    statements: Iterable[Statement],
    *,
    at: datetime,
    known_at: datetime,
    links: Iterable[Link] = (),
    organisations: Iterable[Resource] | Directory = (),
    heard: Iterable[Heard] = (),
    since: datetime | None = None,
    agreement: Agreement | None = None,
    authority: Authority | None = None,
    known: Mapping[Key, str] | None = None,
    spoke: Collection[str] = (),
    stored: Mapping[Thing, Stored] = MappingProxyType({}),
) -> Picture:
    """The patient's care at `at`, by what was recorded by `known_at`.

    `statements` are those about the person that the reader may see, but perhaps for what was over by then; `spoke` the
    sources that spoke of that; `organisations` the agreed Organizations that they name; `heard` the sources with the
    time when each was last heard by then; `stored` the current versions of Tasks and Encounters of which nothing else
    was said but these, and that no tie concerns: they need not be folded again.
    """
    limits, table = agreement or agreements.agreement(), authority or agreements.authority()
    known_then, decided = [one for one in statements if one.recorded <= known_at], list(links)
    beginning = since or begins(at, limits)
    said = standing(without_what_is_over(known_then, decided, table, beginning))
    seen = picture(
        patient,
        as_of(said, decided, table, at=at, known_at=known_at, known=known, stored=stored),
        [one for one in said if one.effective <= at],
        organisations if isinstance(organisations, Directory) else Directory(organisations),
        heard,
        agreement=limits,
        authority=table,
        at=at,
        known_at=known_at,
        since=beginning,
    )
    return replace(seen, speaking=frozenset((*spoke, *(one.source for one in known_then if one.effective <= at))))


def begins(at: datetime, agreement: Agreement | None = None) -> datetime:
    """How far back is looked from a time."""
    return at - (agreement or agreements.agreement()).since


def missing(
    patient: Resource,
    statements: Iterable[Statement],
    *,
    at: datetime,
    links: Iterable[Link] = (),
    directory: Directory,
    heard: Iterable[Heard] = (),
    known: Mapping[Key, str] | None = None,
) -> tuple[list[Gap], datetime | None]:
    """What is missing now, and when that may be another by time alone."""
    said = list(statements)
    seen = see(patient, said, at=at, known_at=at, links=links, organisations=directory, heard=heard, known=known)
    return gaps.find(seen), next_look(seen, said)
