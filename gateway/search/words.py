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
    told = split(unescape(_TAG.sub(" ", div)))[:MAX_WORDS] if isinstance(div, str) else []
    texts = _texts(resource)
    joined = "\n".join(texts)
    if not joined.isascii():  # Each by itself: a single å must not send them all the long way to plain letters.
        joined = "\n".join([text if text.isascii() else letters(text) for text in texts])
    rest = split(joined)
    return _joined(told), _joined([*rest, *told][:MAX_WORDS])


def _joined(words: list[str]) -> str:
    found = " ".join(words)
    if len(found) > LONGEST and max(map(len, words)) > LONGEST:
        return " ".join([word for word in words if len(word) <= LONGEST])
    return found


def _texts(resource: Resource) -> list[str]:
    """Every value outside narratives that is text, one after the other in whatever order."""
    found: list[str] = []
    stack: list[Any] = [{**resource, "resourceType": None}]
    while stack:
        node = stack.pop()
        for value in node.values() if type(node) is dict else node:
            kind = type(value)
            if kind is str:
                if _has_words(value) if len(value) <= _SHORT else _may_have_words(value):
                    found.append(value)
            elif kind is dict or kind is list:
                stack.append(value)
            elif value is not None and kind is not bool:
                found.append(str(value))
    return found


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


# Most texts are urls, codes and references that were met before.
_has_words = lru_cache(maxsize=16384)(_may_have_words)
