"""Text as search compares it: without case, accents and superfluous space.

https://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import unicodedata

MAX_LENGTH = 500
"""Characters of a text that a search can see; an index entry has to stay below 2,700 bytes."""

# Letters that have no decomposition.
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"})


def normalised(text: str) -> str:
    """Anna-Karin Åström as `anna-karin astrom`."""
    if text.isascii():
        return " ".join(text.lower().split())[:MAX_LENGTH]
    parts = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(part for part in parts if not unicodedata.combining(part))
    return " ".join(letters.translate(_PLAIN).split())[:MAX_LENGTH]


def folded(code: str) -> str:
    """A code in the case that codes are compared in: including too much is safer than leaving out.

    https://hl7.org/fhir/R4/search.html#token
    """
    return code.lower() if code.isascii() else code.casefold()
