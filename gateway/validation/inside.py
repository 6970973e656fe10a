"""What holds within one resource: ids that are there once, contained resources with a name, links of the narrative.

https://hl7.org/fhir/R4/references.html#contained, https://hl7.org/fhir/R4/narrative.html#linking
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.issues import Severity
from gateway.validation.datatypes import Told
from gateway.validation.spots import Object, Primitive, Spot, listed

ANCHOR: Final = re.compile(r"""\b(?:id|name)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
LINK: Final = re.compile(r"""<a\b[^<>]*?\bhref\s*=\s*(?:"#([^"]*)"|'#([^']*)')""")
IMAGE: Final = re.compile(r"""<img\b[^<>]*?\bsrc\s*=\s*(?:"#([^"]*)"|'#([^']*)')""")
LEADING: Final[tuple[tuple[Severity, str, re.Pattern[str], str], ...]] = (
    ("error", "narrative-link", LINK, "A link of the narrative leads to a place that it does not have."),
    ("warning", "narrative-image", IMAGE, "An image of the narrative is of a resource that is not contained."),
)


def told(resource: Object, *, is_contained: bool) -> Iterator[Told]:
    """What is wrong with a resource as a whole, beyond its invariants."""
    if not is_contained:
        yield from _contained(resource)
    text = resource.get("text")
    div = text.get("div") if type(text) is dict else None
    if type(div) is str and "#" in div:
        yield from _links(div, resource)


def _contained(resource: Object) -> Iterator[Told]:
    seen: set[str] = set()
    held: Any = resource.get("contained")
    for place, one in enumerate(held if type(held) is list else ()):
        id = one.get("id") if type(one) is dict else None
        if type(id) is not str:
            text = "A contained resource has an id, by which # and the id refer to it."
            yield "error", "required", "contained-id-missing", text, f"contained[{place}].id"
        elif id in seen:
            text = "Two contained resources have this id: a reference could mean either."
            yield "error", "duplicate", "contained-id-repeated", text, f"contained[{place}].id"
        else:
            seen.add(id)


def repeated(spot: Spot) -> Iterator[Told]:
    """An element's id: without spaces, and no other element's. That of an ElementDefinition is its path."""
    held = spot.value.beside if type(spot.value) is Primitive else spot.value
    id = held.get("id") if type(held) is dict and spot.frame.resource is not held else None
    if type(id) is str and spot.type != "ElementDefinition":
        if " " in id:
            yield "error", "value", "element-id-space", "The id of an element has no spaces.", "id"
        if id in spot.frame.ids:
            yield "error", "duplicate", "element-id-repeated", "Another element of the resource has this id.", "id"
        spot.frame.ids.add(id)


def unheld(spot: Spot) -> Iterator[Told]:
    """A canonical that means a contained resource, which is not there."""
    name = spot.value.value if type(spot.value) is Primitive and spot.type == "canonical" else None
    if type(name) is str and name.startswith("#"):
        held = listed(spot.frame.root.get("contained"))
        if not any(one.get("id") == name[1:] for one in held):
            yield "warning", "not-found", "contained-unknown", "No contained resource has this id.", ""


def _links(div: str, resource: Object) -> Iterator[Told]:
    """Links of the narrative to what is not there."""
    anchors = {one or other for one, other in ANCHOR.findall(div)}
    anchors |= {str(one.get("id")) for one in listed(resource.get("contained"))}
    for severity, rule, kind, text in LEADING:
        if any((name := one or other) and name not in anchors for one, other in kind.findall(div)):
            yield severity, "not-found", rule, text, "text.div"
