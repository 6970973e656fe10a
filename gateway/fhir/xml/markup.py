"""The narrative between the formats: an element in XML, in JSON the text of that element.

https://hl7.org/fhir/R4/json.html#xhtml

It is taken over letter by letter, so that a signature over either form holds; whether it is safe says
`gateway.fhir.narrative`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from gateway.fhir.xml.shapes import XHTML

QUOTED: Final = rb"""[^<>"']*(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*"""
TAG: Final = re.compile(rb"<" + QUOTED + rb">")
PLAIN: Final = re.compile(
    rb"<div(?=\s)" + QUOTED.replace(b"]*(", b"]*?(", 1) + rb"""xmlns\s*=\s*["']""" + XHTML.encode()
)


def narrative(body: bytes, begun: int, closing: int, spaces: Mapping[str | None, list[str]]) -> str:
    """The text of the div that begins at one byte and whose end expat tells at another.

    `spaces` are the namespaces declared around it, by prefix.
    """
    tag = TAG.match(body, begun)
    is_empty = tag is not None and tag.end() == closing and body.endswith(b"/>", begun, closing)
    end = closing if is_empty else body.index(b">", closing) + 1
    raw = body[begun:end]
    prefixed = any(uris and prefix and prefix.encode() + b":" in raw for prefix, uris in spaces.items())
    if PLAIN.match(raw) and not prefixed and b"<?" not in raw:
        return raw.decode()
    return _standing_alone(raw, {prefix: uris[-1] for prefix, uris in spaces.items() if uris})


def _standing_alone(raw: bytes, spaces: Mapping[str | None, str]) -> str:
    """A div that leans on what is declared around it, written with XHTML as its own default namespace."""
    declared = "".join(f' xmlns{":" + prefix if prefix else ""}="{_escaped(uri)}"' for prefix, uri in spaces.items())
    whole = f"<around{declared}>".encode() + raw + b"</around>"
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_pis=True, encoding="utf-8")
    try:
        div = etree.fromstring(whole, parser)[0]
    except etree.XMLSyntaxError:
        return raw.decode()
    nsmap: Any = {None: XHTML}
    root = etree.Element(div.tag, dict(div.attrib), nsmap=nsmap)
    root.text = div.text
    root.extend(list(div))
    etree.cleanup_namespaces(root)
    return str(etree.tostring(root, encoding="unicode"))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
