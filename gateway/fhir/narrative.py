"""The narrative's XHTML: what may stand in it, and what would act.

https://hl7.org/fhir/R4/narrative.html#xhtml (rules txt-1 and txt-2)

No document type, no entities but XML's own, no scripts, forms, frames, objects or event handlers.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

NAMESPACE: Final = "{http://www.w3.org/1999/xhtml}"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTS: Final = _words(
    """
    div p br h1 h2 h3 h4 h5 h6 hr pre blockquote address a img map area span bdo ul ol li dl dt dd
    b em i strong small big tt dfn q var abbr acronym cite code samp kbd sub sup ins del
    table caption colgroup col thead tfoot tbody tr th td
    """
)
EVERYWHERE: Final = _words("title style class id lang dir accesskey tabindex align valign")
TABLE: Final = _words("abbr axis headers scope rowspan colspan width height span char charoff nowrap bgcolor")
ATTRIBUTES: Final = {
    "a": _words("href name rel rev hreflang charset type shape coords"),
    "area": _words("href alt shape coords nohref"),
    "map": frozenset({"name"}),
    "img": _words("src alt width height border longdesc usemap ismap hspace vspace name"),
    "table": _words("summary border frame rules cellspacing cellpadding width bgcolor"),
    **dict.fromkeys(("td", "th", "tr", "col", "colgroup", "thead", "tbody", "tfoot"), TABLE),
    **dict.fromkeys(("q", "blockquote"), frozenset({"cite"})),
    **dict.fromkeys(("ins", "del"), frozenset({"cite", "datetime"})),
    **dict.fromkeys(("ol", "ul", "li"), _words("start type value compact")),
    "br": frozenset({"clear"}),
    "hr": _words("size width noshade"),
    "pre": frozenset({"width"}),
}
XML: Final = frozenset(f"{{http://www.w3.org/XML/1998/namespace}}{name}" for name in ("lang", "space", "base"))
ALLOWED: Final[dict[Any, frozenset[str]]] = {
    f"{NAMESPACE}{name}": EVERYWHERE | XML | ATTRIBUTES.get(name, frozenset()) for name in ELEMENTS
} | {etree.Comment: frozenset()}
"""The attributes that each element may have, by its full name."""
LINKS: Final = _words("href src cite longdesc usemap")
SAFE_LINK: Final = re.compile(
    r"(?:https?|mailto|tel|urn|cid|ftp):|data:\s*image/(?!svg)|[^:]*(?:[/?#]|$)", re.IGNORECASE
)
ACTIVE_STYLE: Final = re.compile(
    r"expression\s*\(|url\s*+\(\s*+(?!['\"]?data:\s*image/(?!svg))|@import|javascript:|behaviou?r\s*:|-moz-binding|\\",
    re.IGNORECASE,
)

TEXT: Final = etree.XPath("string()")


def fault(div: Any) -> str | None:
    """What is wrong with a narrative's `div`, or None."""
    if type(div) is not str:
        return "A narrative is XHTML in a JSON string."
    if "<!DOCTYPE" in div or "<!ENTITY" in div or "<?" in div:
        return "A narrative has no document type, entities or processing instructions."
    try:
        root = etree.fromstring(div, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        at = f" (line {line} of it)" if line else ""
        return f"A narrative is well-formed XHTML, with no entities but XML's own{at}."
    if root.tag != f"{NAMESPACE}div":
        return 'A narrative is one div in the XHTML namespace: <div xmlns="http://www.w3.org/1999/xhtml">.'
    for node in root.iter():
        if wrong := _forbidden(node):
            return wrong
    if not str(TEXT(root)).strip() and root.find(f".//{NAMESPACE}img") is None:
        return "A narrative says something: its div is empty."
    return None


def _forbidden(node: Any) -> str | None:
    """What a node may not have, or be; comments may stand."""
    allowed = ALLOWED.get(node.tag)
    if allowed is None:
        return "A narrative holds only XHTML's text, list, table, link and image elements."
    for attribute, value in node.items():
        if attribute not in allowed:
            return f"A narrative's {_local(node)} has an attribute here that is not allowed."
        if attribute in LINKS and not SAFE_LINK.match(value.strip()):
            return f"A narrative's {_local(node)} links to an address that could act."
        if attribute == "style" and ACTIVE_STYLE.search(value):
            return f"A narrative's {_local(node)} has a style that fetches or acts."
    return None


def _local(node: Any) -> str:
    return str(node.tag).removeprefix(NAMESPACE)
