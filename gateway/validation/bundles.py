"""What holds for a Bundle as a whole: fullUrls, links, and references from one entry to another.

https://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.fhir import reference
from gateway.validation.datatypes import ABSOLUTE, Told
from gateway.validation.spots import Object, Spot, listed

SENT: Final = frozenset(("transaction", "batch"))
"""Kinds whose entries need no fullUrl."""
CLOSED: Final = frozenset(("document", "message", "transaction", "collection", "batch"))
"""Kinds in which a reference by urn means an entry of the Bundle itself."""


def told(bundle: Object) -> Iterator[Told]:
    """What is wrong with a Bundle beyond its invariants."""
    kind = str(bundle.get("type"))
    yield from _links(bundle)
    entries: Any = bundle.get("entry")
    for place, entry in enumerate(entries if type(entries) is list else ()):
        if type(entry) is dict:
            for severity, code, rule, text, step in _entry(entry, kind):
                yield severity, code, rule, text, f"entry[{place}]{step}"


def _links(bundle: Object) -> Iterator[Told]:
    seen: set[str] = set()
    for place, link in enumerate(listed(bundle.get("link"))):
        relation = link.get("relation")
        if type(relation) is str:
            if relation in seen:
                text = "A Bundle has one link of each relation."
                yield "error", "invariant", "bundle-link-repeated", text, f"link[{place}].relation"
            seen.add(relation)


def _entry(entry: Object, kind: str) -> Iterator[Told]:
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if type(url) is not str:
        if kind not in SENT and type(resource) is dict and "_fullUrl" not in entry:
            text = "Each entry has a fullUrl, except in transactions and batches: its resource's address, or urn:uuid:…"
            # Documents and messages are read by their references, the others by people.
            severity = "error" if kind in ("document", "message") else "warning"
            yield severity, "required", "bundle-full-url-missing", text, ""  # type: ignore[misc]
        return
    if not ABSOLUTE.fullmatch(url):
        text = "A fullUrl is absolute: http(s)://…/Type/id, or urn:uuid:…"
        yield "error", "value", "bundle-full-url-absolute", text, ".fullUrl"
        return
    if type(resource) is not dict or url.startswith("urn:"):
        return
    target = reference.parse(url)
    own, id = resource.get("resourceType"), resource.get("id")
    if target.type is None or type(own) is not str:
        return
    request = entry.get("request")
    posted = type(request) is dict and request.get("method") == "POST"
    if target.type == own and type(id) is str and target.id != id and not posted:
        text = "The fullUrl ends with another id than the resource has."
        yield "warning", "value", "bundle-full-url-differs", text, ".fullUrl"


def lost(spot: Spot) -> Iterator[Told]:
    """A reference that means an entry of its Bundle, which is not there."""
    entries, written = spot.frame.bundle, spot.value.get("reference")
    if entries is None or type(written) is not str or written.startswith("#"):
        return
    found = entries.find(written, spot.frame.url)
    if found is not None and written.startswith("urn:"):
        kind, targets = found.get("resourceType"), spot.element.targets if spot.element is not None else ()
        if targets and kind not in targets and "Resource" not in targets:
            text = f"The entry that is meant is of another type than this element refers to: {', '.join(targets)}."
            yield "error", "value", "reference-target", text, "reference"
    if entries.kind not in CLOSED or found is not None:
        return
    if written.startswith("urn:uuid:"):
        text = "No entry of the Bundle has this fullUrl: add the resource, or refer to it otherwise."
        yield "error", "not-found", "bundle-reference", text, "reference"
    elif entries.kind == "document" and spot.frame.resource.get("resourceType") == "Composition":
        text = "What a document's first resource refers to is to be in the Bundle; this is not."
        yield "warning", "not-found", "document-reference", text, "reference"
