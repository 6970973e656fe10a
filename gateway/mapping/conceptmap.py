"""ConceptMaps, compiled to one dictionary each: a code is translated by one look-up, and a miss is never silent.

https://hl7.org/fhir/R4/conceptmap.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.mapping.problems import CompileError, Problem
from gateway.mapping.syntax import EmbeddedConceptMap

OUTPUTS = ("code", "system", "display", "Coding", "CodeableConcept")
_NO_TARGET = frozenset(("unmatched", "disjoint", "not-related-to"))
_RELATIONS = {"-": "relatedto", "=": "equal", "==": "equivalent", "!=": "disjoint", "--": "unmatched", "<=": "wider"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a ConceptMap: what a source code becomes. `number` counts from 1 within the table."""

    table: str
    number: int
    system: str
    code: str
    target_system: str | None
    target_code: str | None
    display: str | None

    def coding(self) -> dict[str, Any]:
        found = {"system": self.target_system, "code": self.target_code, "display": self.display}
        return {key: value for key, value in found.items() if value is not None}

    def output(self, kind: str) -> Any:
        if kind == "code":
            return self.target_code
        if kind == "Coding":
            return self.coding()
        if kind == "CodeableConcept":
            return {"coding": [self.coding()]}
        return self.target_system if kind == "system" else self.display


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What becomes of a code that no row names: `fixed` a given code, `provided` the code itself, `report` nothing."""

    mode: str
    system: str | None = None
    code: str | None = None
    display: str | None = None


class ConceptTable:
    """A compiled ConceptMap."""

    __slots__ = ("_any_system", "_by_system", "_kinds", "_longest", "file", "id", "rows", "unmapped", "url")

    def __init__(self, url: str, table_id: str, file: str, rows: list[Row], unmapped: Mapping[str, Unmapped]) -> None:
        self.url = url
        self.id = table_id
        self.file = file
        self.rows = rows
        self.unmapped = dict(unmapped)
        self._by_system: dict[tuple[str, str], Row] = {}
        self._any_system: dict[str, Row] = {}
        for row in rows:
            self._by_system.setdefault((row.system, row.code), row)
            self._any_system.setdefault(row.code, row)
        self._longest = max((len(row.code) for row in rows), default=0)
        self._kinds = frozenset().union(*(_kinds(row.code) for row in rows))

    def like(self, code: str) -> bool:
        """Whether a code is of the table's own sort, in length and letters. What is not may be a person's name."""
        return len(code) <= 2 * self._longest and _kinds(code) <= self._kinds

    def find(self, system: str | None, code: str) -> Row | None:
        """The row of a code; a code without a system is looked for in every group.

        A source's OID and the same as `urn:oid:` are one system. A map whose group names no system takes any.
        """
        if not system:
            return self._any_system.get(code)
        found = self._by_system
        return (
            found.get((system, code))
            or found.get(("urn:oid:" + system, code))
            or found.get((system.removeprefix("urn:oid:"), code))
            or found.get(("", code))
        )

    def unlisted(self, system: str | None) -> Unmapped | None:
        """The policy for a code without a row, or None where it is to be reported."""
        policy = self.unmapped.get(system or "") or self.unmapped.get("")
        if policy is None and not system and len(self.unmapped) == 1:
            policy = next(iter(self.unmapped.values()))
        return policy if policy and policy.mode != "report" else None

    @property
    def gives_unlisted(self) -> bool:
        """Whether codes of the source can come through as they are."""
        return any(policy.mode == "provided" for policy in self.unmapped.values())

    def target_codes(self) -> Iterator[tuple[str | None, str]]:
        """Every code the table can give, for checking against a binding."""
        for row in self.rows:
            if row.target_code is not None:
                yield row.target_system, row.target_code
        for policy in self.unmapped.values():
            if policy.mode == "fixed" and policy.code is not None:
                yield policy.system, policy.code


def _kinds(code: str) -> frozenset[str]:
    """The sorts of characters in a code: capitals, small letters, digits, and other signs as they are."""
    return frozenset("A" if c.isupper() else "a" if c.isalpha() else "0" if c.isdigit() else c for c in code)


def compiled(resource: Mapping[str, Any], file: str) -> ConceptTable:
    """The table of an R4 ConceptMap (R5's `relationship` is read as well)."""
    rows: list[Row] = []
    unmapped: dict[str, Unmapped] = {}
    url = str(resource.get("url", ""))
    for group in resource.get("group", ()):
        source, target = str(group.get("source", "")), group.get("target")
        for element in group.get("element", ()):
            given = [
                t for t in element.get("target", ()) if t.get("equivalence", t.get("relationship")) not in _NO_TARGET
            ]
            first = given[0] if given else {}
            rows.append(
                Row(url, len(rows) + 1, source, str(element["code"]), target, first.get("code"), first.get("display"))
            )
        policy = group.get("unmapped")
        if policy:
            mode = {"use-source-code": "provided"}.get(policy["mode"], policy["mode"])
            unmapped[source] = Unmapped(mode, target, policy.get("code"), policy.get("display"))
    return ConceptTable(url, str(resource.get("id", "")), file, rows, unmapped)


def embedded(concept_map: EmbeddedConceptMap, file: str) -> ConceptTable:
    """The table of a `conceptmap` written in a map file."""
    rows = []
    for number, row in enumerate(concept_map.rows, 1):
        system, code = row.target or (None, None)
        if _RELATIONS.get(row.relation, "relatedto") in _NO_TARGET:
            system = code = None
        rows.append(Row("#" + concept_map.url, number, *row.source, system, code, None))
    targets = {row.system: row.target_system for row in rows}
    unmapped = {
        system: Unmapped("provided", targets.get(system))
        if said == "provided"
        else Unmapped("fixed", targets.get(system), said.rpartition(":")[2])
        for system, said in concept_map.unmapped
    }
    return ConceptTable("#" + concept_map.url, concept_map.url, file, rows, unmapped)


def read(text: str, shown: str) -> ConceptTable:
    """The table in a file's text; what is wrong with it is said with the file's name."""
    try:
        resource = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CompileError([Problem(shown, error.lineno, error.colno, f"not JSON: {error.msg}")]) from None
    if not isinstance(resource, dict) or resource.get("resourceType") != "ConceptMap" or not resource.get("url"):
        raise CompileError([Problem(shown, 1, 1, "not a ConceptMap with a url")])
    try:
        return compiled(resource, shown)
    except (KeyError, TypeError, AttributeError) as error:
        hint = "each group has source, target and element[].code with target[].code"
        raise CompileError([Problem(shown, 1, 1, f"the ConceptMap is not whole ({error})", hint)]) from None
