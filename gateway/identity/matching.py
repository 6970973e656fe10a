"""How alike two Patients are: a score from 0 to 1, made of agreements that can be told, and its grade.

A number of a national register decides; without one it is what people are told by: names, birth date, sex, postcode,
telephone. The table is the rule: docs/api/match.md has it for those who ask.

https://hl7.org/fhir/R4/patient-operation-match.html, http://hl7.org/fhir/ValueSet/match-grade
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Final, Literal

from gateway.identity import numbers, systems
from gateway.records import Resource
from gateway.search.text import normalised

Grade = Literal["certain", "probable", "possible", "certainly-not"]
Identifier = tuple[str, str]

REGISTERS: Final = (systems.PERSONNUMMER, systems.SAMORDNINGSNUMMER, systems.NATIONAL_RESERVE_NUMBER)
GRADES: Final[tuple[tuple[Decimal, Grade], ...]] = (
    (Decimal("0.95"), "certain"),
    (Decimal("0.70"), "probable"),
    (Decimal("0.45"), "possible"),
)
"""From which score on a match is what; what is below the last one is not told."""
WEIGHTS: Final[Mapping[str, Decimal]] = {
    "family-name": Decimal("0.25"),
    "family-name-similar": Decimal("0.15"),
    "given-name": Decimal("0.20"),
    "given-name-similar": Decimal("0.12"),
    "birth-date": Decimal("0.28"),
    "birth-date-slip": Decimal("0.16"),
    "birth-year": Decimal("0.08"),
    "gender": Decimal("0.05"),
    "postal-code": Decimal("0.06"),
    "telephone": Decimal("0.10"),
    "family-name-differs": Decimal("-0.10"),
    "given-name-differs": Decimal("-0.10"),
    "birth-date-differs": Decimal("-0.25"),
    "gender-differs": Decimal("-0.10"),
}
"""What each agreement counts, and each disagreement; what one of the two does not say counts nothing."""
UNNUMBERED: Final = Decimal("0.94")
"""The most that is reached without a number: people who are told alike are not certainly one."""
NUMBER_AGREES: Final = Decimal("1.00")
NUMBER_IN_DOUBT: Final = Decimal("0.80")
"""One number, and a name and a birth date that both differ: to be looked at by a person."""
OTHER_IDENTIFIER: Final = Decimal("0.60")
"""A number of some other system, on which the rest is laid, to 0.97 at most."""
OTHER_AT_MOST: Final = Decimal("0.97")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a person is told by, in one spelling."""

    identifiers: frozenset[Identifier] = frozenset()
    family: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    born: frozenset[str] = frozenset()
    gender: str = ""
    postcodes: frozenset[str] = frozenset()
    telephones: frozenset[str] = frozenset()

    @property
    def registered(self) -> Mapping[str, Set[str]]:
        """The numbers by their register."""
        found: dict[str, set[str]] = {}
        for system, value in self.identifiers:
            if system in REGISTERS:
                found.setdefault(system, set()).add(value)
        return found


@dataclass(frozen=True, slots=True)
class Likeness:
    """A score, and what it is made of, in the words of the table."""

    score: Decimal
    reasons: tuple[str, ...] = ()

    @property
    def grade(self) -> Grade:
        return next((grade for least, grade in GRADES if self.score >= least), "certainly-not")


def traits(patient: Resource) -> Traits:
    """What a Patient, perhaps not a whole one, says of a person."""
    identifiers = frozenset(_identifiers(patient))
    names = [one for one in _list(patient, "name") if one.get("use") not in ("nickname", "anonymous")]
    given = [part for one in names for text in _texts(one, "given") for part in _words(text)]
    plain = [_words(str(one["text"])) for one in names if "text" in one and "family" not in one and "given" not in one]
    born = {str(patient["birthDate"])} if isinstance(patient.get("birthDate"), str) else _born(identifiers)
    return Traits(
        identifiers=identifiers,
        family=frozenset(normalised(one["family"]) for one in names if isinstance(one.get("family"), str))
        | frozenset(words[-1] for words in plain if words),
        given=frozenset(given) | frozenset(word for words in plain for word in words[:-1]),
        born=frozenset(born),
        gender=str(patient.get("gender", "")) if patient.get("gender") in ("male", "female") else "",
        postcodes=frozenset(_digits(one.get("postalCode")) for one in _list(patient, "address")) - {""},
        telephones=frozenset(
            telephone(str(one.get("value", "")))
            for one in _list(patient, "telecom")
            if one.get("system") in ("phone", "sms", None)
        )
        - {""},
    )


def likeness(one: Traits, other: Traits) -> Likeness:
    """How alike they are; the same whichever is asked about the other."""
    said = [*_names(one, other), *_birth(one, other), *_rest(one, other)]
    told = sum((WEIGHTS[reason] for reason in said), Decimal(0))
    mine, theirs = one.registered, other.registered
    shared = [register for register in REGISTERS if mine.get(register, set()) & theirs.get(register, set())]
    if shared:
        in_doubt = "birth-date-differs" in said and {"family-name-differs", "given-name-differs"} & {*said}
        score = NUMBER_IN_DOUBT if in_doubt else NUMBER_AGREES
        return Likeness(score, (f"number-of-{shared[0].rpartition('/')[2]}", *said))
    if any(mine[register] and theirs.get(register) for register in mine):
        return Likeness(Decimal(0), ("another-number", *said))
    if one.identifiers & other.identifiers:
        return Likeness(_within(OTHER_IDENTIFIER + told, OTHER_AT_MOST), ("another-identifier", *said))
    return Likeness(_within(told, UNNUMBERED), tuple(said))


def telephone(value: str) -> str:
    """The digits of a number as it is dialled within Sweden."""
    digits = "".join(char for char in value if char.isdigit())
    for country in ("0046", "46"):
        if digits.startswith(country) and (country == "0046" or value.strip().startswith("+")):
            return "0" + digits.removeprefix(country).removeprefix("0")
    return digits


def slips(born: str) -> set[str]:
    """The dates that a birth date is mistaken for: day and month exchanged, two neighbours exchanged, or one digit."""
    if len(born) != 10:
        return set()
    year, month, day = born.split("-")
    found = {f"{year}-{day}-{month}"}
    digits = year + month + day
    for place in range(len(digits)):
        if place:
            swapped = digits[: place - 1] + digits[place] + digits[place - 1] + digits[place + 1 :]
            found.add(_dated(swapped))
        found |= {_dated(digits[:place] + digit + digits[place + 1 :]) for digit in "0123456789"}
    return {one for one in found if _is_date(one)} - {born}


def _dated(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _is_date(text: str) -> bool:
    return "01" <= text[5:7] <= "12" and "01" <= text[8:] <= "31" and "1850" <= text[:4] <= "2100"


def _names(one: Traits, other: Traits) -> Iterator[str]:
    for name, mine, theirs in (("family-name", one.family, other.family), ("given-name", one.given, other.given)):
        if mine and theirs:
            if mine & theirs:
                yield name
            elif any(similar(a, b) for a, b in product(mine, theirs)):
                yield f"{name}-similar"
            else:
                yield f"{name}-differs"


def _birth(one: Traits, other: Traits) -> Iterator[str]:
    if not (one.born and other.born):
        return
    if one.born & other.born:
        whole = any(len(born) == 10 for born in one.born & other.born)
        yield "birth-date" if whole else "birth-year"
    elif any(a in slips(b) for a, b in product(one.born, other.born)):
        yield "birth-date-slip"
    elif any(a.startswith(b) or b.startswith(a) for a, b in product(one.born, other.born)):
        yield "birth-year"
    else:
        yield "birth-date-differs"


def _rest(one: Traits, other: Traits) -> Iterator[str]:
    if one.gender and other.gender:
        yield "gender" if one.gender == other.gender else "gender-differs"
    if one.postcodes & other.postcodes:
        yield "postal-code"
    if one.telephones & other.telephones:
        yield "telephone"


def similar(one: str, other: str) -> bool:
    """Whether two names are one but for one letter, or one begins the other (four letters at the least)."""
    short, long = sorted((one, other), key=len)
    if len(short) >= 4 and long.startswith(short):
        return True
    if len(long) < 4 or len(long) - len(short) > 1:
        return False
    if len(short) == len(long):
        return sum(a != b for a, b in zip(short, long, strict=True)) <= 1
    return any(long[:place] + long[place + 1 :] == short for place in range(len(long)))


def _within(score: Decimal, most: Decimal) -> Decimal:
    return max(Decimal("0.00"), min(score, most))


def _identifiers(patient: Resource) -> Iterator[Identifier]:
    for one in _list(patient, "identifier"):
        system, value = one.get("system"), one.get("value")
        if isinstance(system, str) and isinstance(value, str) and value.strip() and one.get("use") != "old":
            reading = numbers.read(system, value, system)
            if reading is not None:
                yield reading.system, reading.value


def _born(identifiers: Set[Identifier]) -> set[str]:
    """What the numbers say, where nothing else does."""
    read = (numbers.read(system, value, system) for system, value in identifiers if system in REGISTERS)
    return {one.birth_date for one in read if one is not None and one.usable and one.birth_date}


def _list(of: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = of.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _texts(of: Mapping[str, Any], name: str) -> list[str]:
    found = of.get(name)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _words(text: str) -> list[str]:
    """Anna-Karin is two names, and one."""
    together = normalised(text).split()
    parts = [word for part in text.replace("-", " ").split() for word in normalised(part).split()]
    return list(dict.fromkeys([*together, *parts]))


def _digits(text: object) -> str:
    return "".join(char for char in str(text or "") if char.isdigit())
