"""What is missing by the agreed versions as they are stored, which are the fold's cache: nothing is folded anew.

It is what a look at all statements (see.py) comes to, for whoever everything said holds by now and may be heard by all;
who calls decides of whom that is so (access/glances.py). tests/coordination/test_glance.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from gateway.coordination import agreements, gaps
from gateway.coordination.directory import Directory
from gateway.coordination.due import next_look
from gateway.coordination.facts import Heard
from gateway.coordination.gap import Gap
from gateway.coordination.picture import picture
from gateway.coordination.see import begins
from gateway.coordination.statements import order, standing
from gateway.identity.resolve import MENTION
from gateway.records import Agreed, Resource, Statement


def glance(
    patient: Resource, agreed: Iterable[Agreed], directory: Directory, heard: Iterable[Heard], *, at: datetime
) -> tuple[list[Gap], datetime | None]:
    """What is missing now, without the evidence for it, and when that may be another by time alone."""
    limits = agreements.agreement()
    seen = picture(
        patient,
        agreed,
        (),
        directory,
        heard,
        agreement=limits,
        authority=agreements.authority(),
        at=at,
        known_at=at,
        since=begins(at, limits),
    )
    return gaps.find(seen), next_look(seen)


def evidence(statements: Iterable[Statement]) -> dict[str, tuple[str, ...]]:
    """The digests of what is said of each thing (reference), the last word first."""
    found: dict[str, list[Statement]] = defaultdict(list)
    for one in standing(statements):
        if not one.record_key.startswith(MENTION):
            found[f"{one.resource_type}/{one.resource_id}"].append(one)
    return {about: tuple(one.digest for one in sorted(said, key=order, reverse=True)) for about, said in found.items()}


def with_evidence(found: Iterable[Gap], said: Mapping[str, tuple[str, ...]]) -> list[Gap]:
    """The gaps with the statements about the things that show them."""
    return [
        replace(one, statements=tuple(dict.fromkeys(digest for about in one.about for digest in said.get(about, ()))))
        for one in found
    ]
