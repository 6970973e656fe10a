"""Text as search compares it: without case, accents, punctuation and superfluous space.

https://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

MAX_LENGTH = 500
"""Characters of a text that a search can see; an index entry has to stay below 2,700 bytes."""

# Letters that have no decomposition.
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"})


# The punctuation of Unicode, as far as it is ASCII; signs such as + and $ are none.
_DROPPED = str.maketrans(dict.fromkeys("!\"#%&'()*,-./:;?@[\\]_{}"))
_SPACED = str.maketrans(dict.fromkeys("!\"#%&'()*,-./:;?@[\\]_{}", " "))


def normalised(text: str) -> str:
    """Anna-Karin Åström as `annakarin astrom`."""
    return spellings(text)[0]


@lru_cache(maxsize=8192)
def spellings(text: str) -> tuple[str, str]:
    """The same, and how it reads where punctuation separates: `anna karin astrom`."""
    plain = letters(text)
    together = _without(plain, _DROPPED, "")
    one = " ".join(together.split())[:MAX_LENGTH]
    if len(together) == len(plain):
        return one, one
    return one, " ".join(_without(plain, _SPACED, " ").split())[:MAX_LENGTH]


def letters(text: str) -> str:
    """Lower case without accents."""
    if text.isascii():
        return text.lower()
    text = text.translate(_LATIN)
    return text if text.isascii() else _reduced(text)


def _reduced(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part)).translate(_PLAIN)


# The letters of most European languages in one step.
_LATIN = {code: _reduced(chr(code)) for code in (*range(ord("A"), ord("Z") + 1), *range(0xC0, 0x250))}


def _without(text: str, table: dict[int, Any], instead: str) -> str:
    if text.isascii():
        return text.translate(table)
    return "".join(instead if unicodedata.category(char)[0] == "P" else char for char in text)


def folded(code: str) -> str:
    """A code in the case that codes are compared in: including too much is safer than leaving out.

    https://hl7.org/fhir/R4/search.html#token
    """
    return code.lower() if code.isascii() else code.casefold()
