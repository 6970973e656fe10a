"""What a caller may see, as a condition on resources: what is about those in whose care he takes part, not withheld."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import BindParameter, ColumnElement, Table, and_, bindparam, exists, or_, select

from gateway.keysets import among
from gateway.tables import contributor, resource, search_token, takes_part

SEEN = (
    "visible_parties",
    "visible_sources",
    "visible_system",
    "visible_code",
    "visible_types",
    "visible_compartments",
    "visible_shared_type",
    "visible_shared_contributors",
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
    shared: tuple[str, str] = ("", "")
    """Resource type and source: what is about nobody, and what this source alone states, is seen by everybody."""

    def test(self) -> ColumnElement[bool]:
        """The condition on a resource."""
        return _visible(*self._seen())

    def values(self) -> dict[str, Any]:
        """What the names of `seen_by_name` stand for."""
        return dict(zip(SEEN, self._seen(), strict=True))

    def _seen(self) -> tuple[Any, ...]:
        alone = (self.shared[0], stated_by(self.shared[1]))
        return self.parties, self.sources, *self.withheld, sorted(self.open_types), self.compartments, *alone


def stated_by(source: str) -> str:
    """The contributors of what one source alone states, as they are stored."""
    return orjson.dumps([source]).decode()


def is_shared(table: Table, resource_type: Any, contributors: Any) -> ColumnElement[bool]:
    """Whether a version is of this type, about nobody, and stated by just these contributors."""
    return and_(table.c.resource_type == resource_type, table.c.person.is_(None), table.c.contributors == contributors)


def _visible(
    parties: Collection[str] | str,
    sources: Collection[str] | str,
    system: Any,
    code: Any,
    types: Collection[str] | str,
    compartments: Any,
    shared_type: Any,
    shared_contributors: Any,
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
        is_shared(resource, shared_type, shared_contributors) & ~labelled,
    )


def seen_by_name() -> ColumnElement[bool]:
    """What a caller sees, whoever he is: for statements that are kept."""
    system: BindParameter[str] = bindparam("visible_system", required=False)
    code: BindParameter[str] = bindparam("visible_code", required=False)
    compartments: BindParameter[str] = bindparam("visible_compartments", required=False)
    kind: BindParameter[str] = bindparam("visible_shared_type", required=False)
    alone: BindParameter[str] = bindparam("visible_shared_contributors", required=False)
    return _visible("visible_parties", "visible_sources", system, code, "visible_types", compartments, kind, alone)
