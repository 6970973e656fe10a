"""What a closed unit had passes to its heir: stated of each Task that it concerns, when somebody looks (watching.py).

A statement of the gateway's own, recorded like any other: the Task has a new version, its plan and team follow, and the
heir takes part in the care. docs/gaps.md, ADR 50
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from gateway.access.answers import Answers, with_those_above
from gateway.access.worklists import hsa_ids
from gateway.coordination.directory import AFTER, Directory
from gateway.coordination.heirs import is_passing, parties
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.coordination.succession import RECORD, to_state
from gateway.identity.resolve import logical_references
from gateway.identity.systems import HSA_ID
from gateway.logs import logger
from gateway.records import Resource, Statement
from gateway.store import UnitOfWork

log = logger(__name__)

TASK: Final = "Task"


class Succeeding(Answers):
    """pass_on, and the same of what is about nobody."""

    def pass_on(self, uow: UnitOfWork, persons: Collection[str]) -> set[str]:
        """State what heirs have by now of these persons' Tasks, and what they have no longer. Of whom that was news.

        Callers hold the persons' locks.
        """
        patients = {id: person for person, ids in uow.persons.patients_of(persons).items() for id in ids}
        patients |= {person: person for person in persons}
        about = {id: patients[of] for id, of in uow.statements.ids_of(patients, TASK).items()}
        return {str(one.person) for one in self._state(uow, about)}

    def _state(self, uow: UnitOfWork, about: Mapping[str, str | None]) -> tuple[Statement, ...]:
        """The same of Tasks by id, each with the person whom it is about; what was new."""
        things: dict[str, list[Statement]] = defaultdict(list)
        for one in uow.statements.of_resources([(TASK, id) for id in about]):
            things[one.resource_id].append(one)
        directory = self._heirs_among(uow, (one for said in things.values() for one in said))
        table, new = self._rooms.recorder.authority, list[Statement]()
        for id, said in sorted(things.items()):
            named = (unit for one in said for _, unit in parties(one.body))
            if not any(map(is_passing, said)) and not any(directory.has_closed(unit, uow.now) for unit in named):
                continue
            try:
                new += to_state(said, directory, table, at=uow.now, person=about[id])
            except Exception as error:  # The others must not wait for one that cannot be read.
                log.error("succession-passed-over", error=type(error).__name__)
        return self._rooms.recorder.record(uow, new).fresh if new else ()

    @staticmethod
    def _heirs_among(uow: UnitOfWork, said: Iterable[Statement]) -> Directory:
        """Whom these name, those above them and who took over."""
        keys = {key for one in said for _, key in logical_references(one.body) if key[0] == "Organization"}
        return Directory(with_those_above(uow, keys, uow.now))

    @staticmethod
    def alone(uow: UnitOfWork, organisations: Iterable[Resource]) -> Iterator[str]:
        """The ids of Tasks that name one of these, or did before they passed on, and are about nobody."""
        units = list(organisations)
        numbers = {hsa_id for one in units for hsa_id in hsa_ids(one)}
        passed = uow.statements.about_nobody(GATEWAY_SOURCE, f"{RECORD}|") if numbers else ()
        closed = {f"|{HSA_ID}|{number}" for number in numbers}
        yield from (id for record, id in passed if any(record.endswith(key) for key in closed))
        yield from sorted(uow.watch.about_nobody(TASK, numbers | {f"Organization/{one['id']}" for one in units}))

    def pass_on_alone(self, uow: UnitOfWork, id: str) -> datetime | None:
        """The same of a Task that is about nobody; when to look again."""
        self._state(uow, {id: None})
        ends = self._heirs_among(uow, uow.statements.of_resources([(TASK, id)])).ends()
        return min((end + AFTER for end in ends if end + AFTER > uow.now), default=None)
