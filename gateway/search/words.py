"""The words of a resource, for `_text` and `_content`: normalised, in order, so that phrases can be found.

Both databases split them at spaces only, so that both find the same. https://hl7.org/fhir/R4/search.html#text
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import Any

from gateway.records import Resource
from gateway.search.text import letters

MAX_WORDS = 10_000
"""Words of a resource that a search can see."""
LONGEST = 2046
"""Letters of a word that PostgreSQL keeps; a longer one is in no index, on SQLite neither."""
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<[^>]*>")
_APART = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
_BLOB = 1000
_SHORT = 200
"""Characters of a text whose like comes back."""
_OUR_ID = re.compile(r"(?:[A-Z][A-Za-z]+/)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
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
    told = _plain(unescape(_TAG.sub(" ", div))) if isinstance(div, str) else ""
    found = _texts(resource)
    if told:
        found.append(told)
    return _seen(told), _seen(" ".join(found))


def _seen(words: str) -> str:
    """What of them a search can see."""
    if len(words) <= LONGEST:
        return words
    return " ".join([word for word in words.split(" ")[:MAX_WORDS] if len(word) <= LONGEST])


def _texts(resource: Resource) -> list[str]:
    """The words of every value outside narratives that has some, one after the other in whatever order."""
    found: list[str] = []
    stack: list[Any] = [{**resource, "resourceType": None}]
    while stack:
        node = stack.pop()
        for value in node.values() if type(node) is dict else node:
            kind = type(value)
            if kind is str:
                if words := _known(value) if len(value) <= _SHORT else _words(value):
                    found.append(words)
            elif kind is dict or kind is list:
                stack.append(value)
            elif value is not None and kind is not bool:
                found.append(_plain(str(value)))
    return found


def _plain(text: str) -> str:
    return " ".join(split(text))


def _words(text: str) -> str:
    """The words of a text; none where nobody looks for it by them."""
    return _plain(text) if _may_have_words(text) else ""


def _may_have_words(text: str) -> bool:
    """A thousand characters without a space are data, not text.

    Nor does anybody look by its words for a code system's or a profile's url, or for an id that we made: they were two
    thirds of all words.
    """
    return (
        not text.startswith(_NO_WORDS)
        and (text[-13:-12] != "-" or not _OUR_ID.fullmatch(text))
        and (len(text) <= _BLOB or " " in text[:_BLOB])
    )


# Most texts are urls, codes, references and names that were met before.
_known = lru_cache(maxsize=16384)(_words)
