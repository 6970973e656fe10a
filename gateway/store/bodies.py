"""Resources as bytes: content apart from id and version, and the bytes to serve, written once.

https://hl7.org/fhir/R4/resource.html#Meta
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from gateway.fhir.datetime import text
from gateway.fhir.json import dump
from gateway.records import Resource


class Content(NamedTuple):
    """What of a resource is content: its own meta and its elements, as JSON members without braces."""

    meta: bytes
    members: bytes

    @property
    def digest(self) -> bytes:
        return blake2b(self.meta + b"\n" + self.members, digest_size=16).digest()

    def to_serve(self, resource_type: str, id: str, *, version: str, last_updated: datetime) -> bytes:
        head = (
            f'{{"resourceType":"{resource_type}","id":"{id}",'
            f'"meta":{{"versionId":"{version}","lastUpdated":"{_told(last_updated)}"'
        ).encode()
        meta = b"," + self.meta if self.meta else b""
        members = b"," + self.members if self.members else b""
        return head + meta + b"}" + members + b"}"


_told = lru_cache(maxsize=64)(text)
"""What is saved together has one time, and to write that out costs as much as all the rest."""
_OURS = frozenset({"resourceType", "id", "meta"})
_OURS_IN_META = frozenset({"versionId", "lastUpdated"})


def content(resource: Resource) -> Content:
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in _OURS_IN_META}
    members = {key: value for key, value in resource.items() if key not in _OURS}
    return Content(dump(meta)[1:-1] if meta else b"", dump(members)[1:-1])
