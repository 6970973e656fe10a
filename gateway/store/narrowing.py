"""What a caller may see, as a condition on resources: what is about those in whose care he takes part, not withheld."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, or_, select

from gateway.keysets import among
from gateway.tables import contributor, resource, search_token, takes_part

SEEN = (
    "visible_parties",
    "visible_sources",
    "visible_system",
    "visible_code",
    "visible_types",
    "visible_compartments",
)
"""The names of what one caller's look differs by from another's."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a caller sees: what is about the persons in whose care one of `parties` (HSA-ids) takes part.

    A resource with the security label `withheld` (system, code) is seen only where `sources`, the caller's own, state
    it, and nobody else does.
    Types in `open_types` are about nobody, and seen whole.
    """

    parties: tuple[str, ...]
    sources: tuple[str, ...]
    withheld: tuple[str, str]
    open_types: Collection[str]
    compartments: str = ""
    """The system of security labels whose codes are compartments: what is in some is seen by who is within one."""

    def test(self) -> ColumnElement[bool]:
        """The condition on a resource."""
        system, code = self.withheld
        return _visible(self.parties, self.sources, system, code, sorted(self.open_types), self.compartments)

    def values(self) -> dict[str, Any]:
        """What the names of `seen_by_name` stand for."""
        system, code = self.withheld
        seen = (self.parties, self.sources, system, code, sorted(self.open_types), self.compartments)
        return dict(zip(SEEN, seen, strict=True))


def _visible(
    parties: Collection[str] | str,
    sources: Collection[str] | str,
    system: Any,
    code: Any,
    types: Collection[str] | str,
    compartments: Any,
) -> ColumnElement[bool]:
    persons = select(takes_part.c.person).where(among(takes_part.c.hsa_id, parties))
    labelled = exists().where(
        search_token.c.rid == resource.c.rid, search_token.c.system == system, search_token.c.code == code
    )
    stated = exists().where(contributor.c.rid == resource.c.rid)
    by_others = exists().where(contributor.c.rid == resource.c.rid, ~among(contributor.c.source, sources))
    inside = exists().where(search_token.c.rid == resource.c.rid, search_token.c.system == compartments)
    within = inside.where(search_token.c.code.in_(persons))
    return or_(
        among(resource.c.resource_type, types),
        resource.c.person.in_(persons) & or_(~labelled, stated & ~by_others) & or_(~inside, within),
    )


def seen_by_name() -> ColumnElement[bool]:
    """What a caller sees, whoever he is: for statements that are kept."""
    system: BindParameter[str] = bindparam("visible_system", required=False)
    code: BindParameter[str] = bindparam("visible_code", required=False)
    compartments: BindParameter[str] = bindparam("visible_compartments", required=False)
    return _visible("visible_parties", "visible_sources", system, code, "visible_types", compartments)
