"""Observation/$lastn: the last few of each code, by the codes that mean the same.

https://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing, terminology
from gateway.access.decision import decide
from gateway.access.searching import MOST_INCLUDED, Params, Searching, left_out, url_of
from gateway.errors import BadRequest, Unprocessable
from gateway.fhir import bundle
from gateway.fhir.json import dump
from gateway.search.numbers import number, text_number
from gateway.search.query import Limits, parse
from gateway.store import Stored, UnitOfWork
from gateway.store.latest import Kinds

OBSERVATION: Final = "Observation"
MOST: Final = 100_000
"""Observations that are looked through: more than one person has."""
SUBJECTS: Final = ("patient", "subject")
CATEGORY: Final = "category"
Name = tuple[str, str]
"""System and code."""
TEXT: Final = "\n"
"""In the place of a system: no code, but a text as it is written."""
NOT_ASKED: Final = ("_count", "_sort", "_total", "_summary", "_contained", "_containedType")
"""How many and in which order is the operation's own: there are no pages."""


class Lastn(Searching):
    """lastn."""

    def lastn(self, asking: Asking, params: list[tuple[str, str]], *, most: int, base: str, shown: Params) -> bytes:
        """A searchset Bundle, the latest first; of each code `most`, and those of the same time as the last of them."""
        self._enough([name for name, value in params if value])
        query = parse(
            OBSERVATION,
            params,
            self._rooms.definitions,
            progress=self._rooms.known.percent,
            zone=self._rooms.zone,
            bases=(base,),
            now=self._rooms.clock(),
            limits=Limits(),
            terminology=terminology(self._rooms, base),
        )
        visible = narrowing(self, asking.caller)
        code, text, date = number(OBSERVATION, "code"), text_number(OBSERVATION, "code"), number(OBSERVATION, "date")

        def ask(uow: UnitOfWork) -> tuple[list[Stored], list[Stored], bool] | None:
            kinds = uow.latest.kinds(query, visible, code=code, text=text, date=date, most=MOST)
            if kinds is None:
                return None
            rows = last(kinds, most)
            read = uow.latest.read(rows)
            matches = [read[rid] for rid in rows]
            return matches, *uow.searches.included(query, matches, narrowing=visible, most=MOST_INCLUDED)

        found = self._rooms.store.read(ask)
        decision = decide(asking.caller, OBSERVATION, takes_part=None)
        if found is None:
            self.audit(asking, decision, failure="too-costly")
            text_ = f"More than {MOST} observations are found. Ask for less: one patient, one category, some time."
            raise Unprocessable(text_, rule="too-costly")
        matches, included, whole = found
        self.audit(asking, decision, *matches, *included)
        entries = [bundle.Found(one.resource_type, one.id, one.body) for one in matches]
        entries += [bundle.Found(one.resource_type, one.id, one.body, "include") for one in included]
        address = url_of(base, f"{OBSERVATION}/$lastn", (*query.used, ("max", str(most)), *shown))
        answer = bundle.searchset(entries, base=base, links={"self": address}, total=len(matches))
        if outcome := left_out(query, whole):
            answer.setdefault("entry", []).append({"resource": outcome, "search": {"mode": "outcome"}})
        return dump(answer)

    def _enough(self, names: list[str]) -> None:
        """BadRequest unless it is of a subject, and of a category or by a code."""
        codes = {name.partition(":")[0].partition(".")[0] for name in names}
        for one in NOT_ASKED:
            if one in codes:
                text = "How many there are, and in which order, is $lastn's own: leave this out, and give max."
                raise BadRequest(text, rule="parameter-not-offered", where=one)
        if not codes & {*SUBJECTS}:
            raise BadRequest("Say of whom: give patient or subject.", rule="parameter-missing", where=SUBJECTS[0])
        known = self._rooms.definitions.search_parameters(OBSERVATION)
        coded = {code for code, one in known.items() if ".code" in one.expression or code.startswith("code-")}
        if not codes & {CATEGORY, *coded}:
            text = "Say of what: give a category or a code."
            raise BadRequest(text, rule="parameter-missing", where=CATEGORY)


def last(kinds: Mapping[int, Kinds], most: int) -> list[int]:
    """The rows of the last so many of each group, the latest first; those of one time come together.

    Codes that stand beside each other anywhere are one group; a text is a code of its own, as it is written.
    """
    groups: dict[Name, list[int]] = {}
    root = _roots(kinds)
    for rid, one in kinds.items():
        groups.setdefault(root(next(iter(_names(one)))), []).append(rid)
    chosen: list[int] = []
    for rows in groups.values():
        rows.sort(key=lambda rid: _order(kinds[rid], rid))
        edge = kinds[rows[min(most, len(rows)) - 1]].time
        chosen += [rid for place, rid in enumerate(rows) if place < most or kinds[rid].time == edge]
    return sorted(chosen, key=lambda rid: _order(kinds[rid], rid))


def _order(one: Kinds, rid: int) -> tuple[int, int, int, int]:
    """The latest first, then what has no time; what was stored last first."""
    high, low = one.time or (0, 0)
    return (one.time is None, -high, -low, -rid)


def _names(one: Kinds) -> list[Name]:
    """The codes; without one the text that stands for it. What has neither is of one kind."""
    return sorted(one.codes) or [(TEXT, next(iter(sorted(one.texts)), ""))]


def _roots(kinds: Mapping[int, Kinds]) -> Callable[[Name], Name]:
    """What stands for all codes that are linked, by what stands beside what."""
    parents: dict[Name, Name] = {}

    def root(name: Name) -> Name:
        while (parent := parents.get(name, name)) != name:
            parents[name] = parents.get(parent, parent)
            name = parent
        return name

    for one in kinds.values():
        first, *others = _names(one)
        for other in others:
            parents[root(other)] = root(first)
    return root
