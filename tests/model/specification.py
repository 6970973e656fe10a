"""What R4 says that a server does, as a dictionary of lists: no index, no SQL, nothing of the program.

Values that the server chooses (ids, versions) are told to it; everything else it foretells.
https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str]
"""Resource type and id."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version: what made it, and what it holds; nothing where it says that the resource is gone."""

    id: str
    method: str
    body: Json | None


@dataclass(slots=True)
class Specification:
    """The resources of one series of requests, told from others by a system of identifiers of their own."""

    system: str
    versions: dict[Key, list[Version]] = field(default_factory=dict)

    def current(self, key: Key) -> Version | None:
        """The newest version, which may be that of a deletion."""
        return self.versions[key][-1] if key in self.versions else None

    def living(self, resource_type: str) -> dict[str, Json]:
        """What can be read, by id."""
        found = {key[1]: rows[-1].body for key, rows in self.versions.items() if key[0] == resource_type}
        return {id: body for id, body in found.items() if body is not None}

    def write(self, key: Key, method: str, version: str, body: Json | None) -> None:
        """A write was done. The same content again is no version."""
        before = self.current(key)
        if before is not None and before.body == body:
            assert before.id == version, "the same content made a version"
            return
        assert all(version != one.id for one in self.versions.get(key, ())), "a version's id was used before"
        self.versions.setdefault(key, []).append(Version(version, method, deepcopy(body)))

    # --- what is foretold -----------------------------------------------------------------------------------------

    def read_status(self, key: Key) -> int:
        current = self.current(key)
        return 404 if current is None else 410 if current.body is None else 200

    def update_status(self, key: Key, if_match: str | None) -> int:
        """201 also for what was deleted: it is there again."""
        current = self.current(key)
        if if_match is not None and (current is None or current.id != if_match):
            return 412
        return 201 if current is None or current.body is None else 200

    def search(self, resource_type: str, meets: Callable[[Json], bool]) -> set[str]:
        return {id for id, body in self.living(resource_type).items() if meets(body)}

    def holding(self, resource_type: str, value: str) -> list[str]:
        """The ids of those with this identifier."""
        return sorted(self.search(resource_type, lambda body: has_identifier(body, self.system, value)))


def has_identifier(body: Json, system: str, value: str) -> bool:
    return any(one.get("system") == system and one.get("value") == value for one in body.get("identifier", ()))


def bare(resource: Json) -> Json:
    """Without what the server writes into it."""
    return {name: value for name, value in resource.items() if name not in ("id", "meta")}


def exactly_once(pages: Iterable[list[str]]) -> set[str]:
    """The ids on all pages; no id is on two of them."""
    seen: set[str] = set()
    for page in pages:
        assert len(set(page)) == len(page), "a resource twice on a page"
        assert not seen & set(page), "a resource on two pages"
        seen |= set(page)
    return seen
