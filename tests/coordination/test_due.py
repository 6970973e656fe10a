"""A look says when the next is due: until then, or until a source falls silent, nothing begins or ends by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.coordination.agreements import agreement
from gateway.coordination.directory import Directory
from gateway.coordination.due import TICK, falls_silent
from gateway.coordination.see import missing
from tests.coordination import cases, people

SPAN = timedelta(days=20)
MOST = 40


def documents() -> list[Any]:
    return [
        pytest.param(cases.read(cases.HERE / "gaps" / f"{row['number']:03d}-statements.json"), id=row["name"])
        for row in cases.index("gaps")
    ]


def looked(document: Mapping[str, Any], at: datetime) -> tuple[set[tuple[str, str, str]], datetime | None]:
    """What is missing at a time, and when to look again, when all was recorded long before."""
    heard = people.heard(document.get("heard", {}), datetime.fromisoformat(document["at"]))
    said = [replace(one, recorded=at - 10 * SPAN) for one in cases.statements(document)]
    gaps, again = missing(
        people.PATIENT,
        said,
        at=at,
        links=cases.links(document),
        directory=Directory(people.organisations(document.get("organisations"))),
        heard=heard,
    )
    silent = [falls_silent(one.source, one.last, agreement()) for one in heard]
    coming = [time for time in (again, *silent) if time is not None and time > at]
    return {(gap.code, gap.severity, gap.key) for gap in gaps}, min(coming, default=None)


@pytest.mark.parametrize("document", documents())
def test_nothing_begins_or_ends_before_the_next_look_is_due(document: Mapping[str, Any]) -> None:
    now = min(one.effective for one in cases.statements(document))
    end = datetime.fromisoformat(document["at"]) + SPAN
    for _ in range(MOST):
        found, again = looked(document, now)
        until = min(again or end, end)
        for moment in (now + (until - now) / 2, now + (until - now) * 0.9, until - 2 * TICK):
            if now < moment < until:
                assert looked(document, moment)[0] == found, moment
        if until >= end:
            return
        now = until
