"""Codes held to value sets and code systems, as far as those are held here.

https://hl7.org/fhir/R4/terminologies.html#strength

That a required code of R4 itself is right the structural check says; here are the weaker bindings, displays, and codes
that their own code system does not have. What is not held here is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.definitions.codes import Code
from gateway.fhir.elements import GRAMMARS
from gateway.issues import Severity
from gateway.terminology import Terminology, TooLarge
from gateway.terminology.concepts import names
from gateway.validation.datatypes import Told
from gateway.validation.spots import Object, Spot, listed

CODED: Final = frozenset(("Coding", "CodeableConcept", "Quantity"))
NAMED: Final = frozenset(("Coding", "Quantity", "Age", "Count", "Distance", "Duration"))
"""Types with a system and a code of it."""
OWN: Final = "http://hl7.org/fhir/"
SHOWN: Final = 12
"""Codes that are listed of a value set."""


class Codes:
    """The codes of value sets, each found out once in a validation."""

    def __init__(self, terminology: Terminology) -> None:
        self.terminology = terminology
        self._found: dict[str, frozenset[Code] | None] = {}

    def of(self, url: str) -> frozenset[Code] | None:
        """The codes of a value set; None where they are not known here."""
        if url not in self._found:
            try:
                self._found[url] = self.terminology.codes(url)
            except TooLarge:
                self._found[url] = None
        return self._found[url]

    def member(self, value: Any, url: str) -> bool | None:
        """Whether a code, Coding, CodeableConcept or Quantity is in a value set; None where that is not known."""
        if (matches := GRAMMARS.get(url.partition("|")[0])) is not None:
            written = [code for _, code in pairs(value)] if type(value) is dict else [value]
            return any(type(one) is str and matches(one) is not None for one in written)
        return _among(value, self.of(url))

    def member_of(self, value: Any, value_set: Object) -> bool | None:
        """The same of a value set that is at hand, as one that is contained."""
        try:
            return _among(value, self.terminology.codes_of(value_set))
        except TooLarge:
            return None


def _among(value: Any, codes: frozenset[Code] | None) -> bool | None:
    if codes is None:
        return None
    if type(value) is str:
        return any(code == value for _, code in codes)
    if type(value) is not dict:
        return None
    return any(pair in codes for pair in pairs(value))


def pairs(value: Object) -> list[tuple[str | None, str | None]]:
    """System and code of what is coded: of each coding of a concept."""
    codings = listed(value["coding"]) if "coding" in value else [value]
    return [(_text(one.get("system")), _text(one.get("code"))) for one in codings]


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


def told(spot: Spot, codes: Codes) -> Iterator[Told]:
    """What is to be said of a coded value: its binding's strength decides how loudly."""
    if spot.type in NAMED:
        yield from _coding(spot.value, codes)
    element = spot.element
    if element is None or element.binding is None or spot.type not in CODED or element.binding[0] != "extensible":
        return
    url = element.binding[1]
    given = [pair for pair in pairs(spot.value) if pair[1] is not None]
    if given and codes.member(spot.value, url) is False:
        text = f"None of these codes is of the value set {url}, which is to be used where it has a fitting one."
        yield "warning", "code-invalid", "extensible-binding", text, ""


def _coding(value: Object, codes: Codes) -> Iterator[Told]:
    url, code = value.get("system"), value.get("code")
    if type(url) is not str or type(code) is not str:
        return
    if (matches := GRAMMARS.get(url)) is not None and not matches(code):
        yield "error", "code-invalid", "code-unknown", f"A code of {url} is not written so.", "code"
        return
    system = codes.terminology.system(url)
    if system is None:
        return
    severity = lacking(url, code, value.get("version"), codes)
    if severity is not None:
        yield severity, "code-invalid", "code-unknown", f"The code system {url} does not have this code.", "code"
        return
    shown = value.get("display")
    if type(shown) is str and code in system.codes:
        called = [plain(one) for one in names(codes.terminology, system, url, code)]
        if called != [plain(code)] and plain(shown) not in called:
            text = f"The code is called otherwise in {url}: {codes.terminology.display(url, code)!r}."
            yield "warning", "code-invalid", "display-differs", text, "display"


def lacking(url: str, code: str, version: Any, codes: Codes) -> Severity | None:
    """How loudly to say that a code system that is held here lacks a code; None where it has it, or is not held."""
    system = codes.terminology.system(url)
    if system is None or code in system.codes:
        return None
    if not system.cased and code.casefold() in {one.casefold() for one in system.codes}:
        return None
    # Others' systems that are shipped go on growing, and another version may have what this one has not.
    same = version in (None, system.head.get("version"))
    return "error" if url.startswith(OWN) or (system.at_hand and same) else "warning"


def plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def some(codes: frozenset[Code]) -> str:
    """The codes of a value set for a text, some of them where they are many."""
    shown = sorted({code for _, code in codes})
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
