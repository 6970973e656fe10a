"""What a closed unit had passes to its heir: stated of each Task that it concerns, when somebody looks (watching.py).

A statement of the gateway's own, recorded like any other: the Task has a new version, its plan and team follow, and the
heir takes part in the care. docs/gaps.md, ADR 50
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from gateway.access.answers import Answers, with_those_above
from gateway.access.commands import Matching
from gateway.access.conditions import criteria
from gateway.access.worklists import MOST, hsa_ids, parties_of
from gateway.coordination.directory import AFTER, Directory
from gateway.coordination.heirs import is_passing, parties
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.coordination.succession import RECORD, to_state
from gateway.identity.resolve import logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.search.cursor import START, Cursor
from gateway.store import UnitOfWork

log = structlog.get_logger(__name__)

TASK: Final = "Task"


class Succeeding(Answers):
    """pass_on, and the same of what is about nobody."""

    def pass_on(
        self, uow: UnitOfWork, person: str | None, said: Sequence[Statement], units: Sequence[Resource]
    ) -> tuple[Statement, ...]:
        """State what heirs have by now of the Tasks that are spoken of, and what they have no longer.

        `units` are all that are named in what is said, with their heirs. Callers hold the person's lock.
        """
        directory = Directory(units)

        def is_concerned(one: Statement) -> bool:
            named = (reference for _, reference in parties(one.body))
            return is_passing(one) or any(directory.has_closed(reference, uow.now) for reference in named)

        concerned = {one.resource_id for one in said if one.resource_type == TASK and is_concerned(one)}
        if not concerned:
            return ()
        things: dict[str, list[Statement]] = defaultdict(list)
        for one in uow.statements.of_resources([(TASK, id) for id in concerned]):
            things[one.resource_id].append(one)
        table, new = self._rooms.recorder.authority, list[Statement]()
        for _, about in sorted(things.items()):
            try:
                new += to_state(about, directory, table, at=uow.now, person=person)
            except Exception as error:  # The others must not wait for one that cannot be read.
                log.error("succession-passed-over", error=type(error).__name__)
        return self._rooms.recorder.record(uow, new).fresh if new else ()

    def alone(self, uow: UnitOfWork, organisations: Iterable[Resource]) -> Iterator[str]:
        """The ids of Tasks that name one of these as a party, or did before they passed on, and are about nobody."""
        units = list(organisations)
        closed = {f"|{HSA_ID}|{hsa_id}" for one in units for hsa_id in hsa_ids(one)}
        passed = uow.statements.about_nobody(GATEWAY_SOURCE, f"{RECORD}|") if closed else ()
        yield from (id for record, id in passed if any(record.endswith(key) for key in closed))
        for one in units:
            ids = ",".join(f"{HSA_ID}|{hsa_id}" for hsa_id in hsa_ids(one))
            for criterion in parties_of(ids, f"Organization/{one['id']}"):
                query = criteria(TASK, Matching((("subject:missing", "true"), criterion)), self._rooms)
                after: Cursor | None = START
                while after is not None:
                    page = uow.searches.page(replace(query, count=MOST), after=after)
                    yield from (found.id for found in page.matches)
                    after = page.behind

    def pass_on_alone(self, uow: UnitOfWork, id: str) -> datetime | None:
        """The same of a Task that is about nobody; when to look again."""
        said = uow.statements.of_resources([(TASK, id)])
        keys = {key for one in said for _, key in logical_references(one.body) if key[0] == "Organization"}
        units = with_those_above(uow, keys, uow.now)
        self.pass_on(uow, None, said, units)
        return min((end + AFTER for end in Directory(units).ends() if end + AFTER > uow.now), default=None)
