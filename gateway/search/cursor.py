"""A place in the result of a search, from which a page goes on.

https://hl7.org/fhir/R4/search.html#paging
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a result: behind the resource with these sort keys (None where it has none) and this row id.

    `backward`: in front of it, and the page is what comes before. Without a row id the very beginning, or the very end.
    `most` is how many resources the page holds, where it is not as many as on every page.
    """

    keys: tuple[Any, ...] = ()
    rid: int | None = None
    backward: bool = False
    most: int | None = None


START, END = Cursor(), Cursor(backward=True)
