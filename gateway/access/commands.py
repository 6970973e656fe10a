"""What a caller asks to be changed: one value for each write interaction of R4, with the conditions it sets.

A command says nothing of how it came: as a request of its own, or as an entry of a transaction.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar, Final, Literal
from urllib.parse import parse_qsl

from gateway.access.reading import Served
from gateway.errors import BadRequest
from gateway.fhir import json
from gateway.fhir.binary import Content
from gateway.records import Resource

Versions = tuple[str, ...]
"""Version ids, as If-Match and If-None-Match list them; `*` is any version there is."""
ANY_VERSION = "*"
ETAG: Final = re.compile(r'(?:W/)?"([A-Za-z0-9.\-]{1,64})"|(\*)')
MOST: Final = 50
"""Versions that one list names."""


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent, to be kept as it came; `kept` where that is done: the inbox's id, and the item there.

    `content`: it is no resource but the content of a Binary.
    """

    raw: bytes
    media_type: str = json.MEDIA_TYPE
    kept: tuple[str, int] | None = None
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """A condition: the search that finds what is meant. `base` is this server's address, as references may name it.

    https://hl7.org/fhir/R4/http.html#ccreate, #cond-update, #3.1.0.7.1
    """

    params: tuple[tuple[str, str], ...]
    base: str = ""


Target = str | Matching
"""What a command is about: an id, or what a search finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Store the resource under a new id, unless something meets the condition."""

    interaction: ClassVar[str] = "create"
    resource_type: str
    resource: Resource
    if_none_exist: Matching | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Store the resource under this id, which may be new, or in the place of what meets the condition."""

    interaction: ClassVar[str] = "update"
    resource_type: str
    target: Target
    resource: Resource
    if_match: Versions | None = None
    if_none_match: Versions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correct(Update):
    """Put right what was said of something that has ended, on the record (coordination.md C-15)."""

    interaction: ClassVar[str] = "correct"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Store what becomes of the current resource.

    `change` is pure: it is given the resource as it is served, leaves that as it is, and returns the new one. Any
    refusal (a GatewayError) that it raises is the answer.
    """

    interaction: ClassVar[str] = "patch"
    resource_type: str
    target: Target
    change: Callable[[Resource], Resource]
    if_match: Versions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Withdraw the caller's word; the operator's deletion deletes. A condition means everything that meets it."""

    interaction: ClassVar[str] = "delete"
    resource_type: str
    target: Target
    if_match: Versions | None = None


Command = Create | Update | Patch | Delete


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a command.

    `versions` are those that it made, or found to say the same already; none where there was nothing to delete.
    `found`: something met the condition of a create, and nothing was done.
    """

    what: Literal["created", "found", "updated", "deleted"]
    versions: tuple[Served, ...] = ()

    @property
    def version(self) -> Served:
        """The one version of a command that has one."""
        (only,) = self.versions
        return only


def versions(etags: str, name: str) -> Versions:
    """The versions that a list of ETags names; BadRequest where one is none. `name`: where it stands."""
    found = []
    for one in etags.split(",", MOST):
        match = ETAG.fullmatch(one.strip())
        if not match:
            text = f'{name} must be an ETag as served: W/"…"; several are separated by commas.'
            raise BadRequest(text, rule="etag-malformed")
        found.append(match[1] or ANY_VERSION)
    return tuple(found)


def matching(query: str, base: str, *, but: Collection[str] = ()) -> Matching:
    """The condition that a query string says, without the parameters that are none. BadRequest."""
    try:
        params = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise BadRequest("The condition cannot be read as search parameters.", rule="condition-malformed") from None
    return Matching(tuple(one for one in params if one[0] not in but), base)
