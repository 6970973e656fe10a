"""The words of a resource, for `_text` and `_content`: normalised, in order, so that phrases can be found.

Both databases split them at spaces only, so that both find the same. https://hl7.org/fhir/R4/search.html#text
"""

from __future__ import annotations

import re
from html import unescape

from gateway.records import Resource
from gateway.search.text import letters

MAX_WORDS = 10_000
"""Words of a resource that a search can see."""
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<[^>]*>")
_APART = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
_BLOB = 1000
_NO_WORDS = ("<div", "http://", "https://", "urn:")


def split(text: str) -> list[str]:
    """The words of a text. One of another alphabet is written in letters that every database keeps together."""
    plain = letters(text)
    if plain.isascii():
        return plain.encode().translate(_APART).decode().split()
    return [word if word.isascii() else f"x{word.encode().hex()}" for word in _WORD.findall(plain)]


def of(resource: Resource) -> tuple[str, str]:
    """The words of the narrative, and those of everything, the narrative too."""
    narrative = resource.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else None
    told = split(unescape(_TAG.sub(" ", div)))[:MAX_WORDS] if isinstance(div, str) else []
    texts = _texts(resource)
    joined = " \n ".join(texts)
    if not joined.isascii():  # Each by itself: a single å must not send them all the long way to plain letters.
        joined = " \n ".join(map(letters, texts))
    rest = split(joined)
    return " ".join(told), " ".join([*rest, *told][:MAX_WORDS])


def _texts(resource: Resource) -> list[str]:
    """Every value outside narratives, one after the other in whatever order."""
    found: list[str] = []
    stack = [value for name, value in resource.items() if name != "resourceType"]
    while stack:
        value = stack.pop()
        if type(value) is str:
            # A thousand characters without a space are data, not text. Nor does anybody look for a code system's or a
            # profile's url by its words, and they were half of all words.
            if (len(value) <= _BLOB or " " in value[:_BLOB]) and not value.startswith(_NO_WORDS):
                found.append(value)
        elif type(value) is dict:
            stack.extend(value.values())
        elif type(value) is list:
            stack.extend(value)
        elif value is not None and type(value) is not bool:
            found.append(str(value))
    return found
