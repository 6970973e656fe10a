"""Swedish numbers of persons, units and bodies: read, checked, told apart even where a source names the wrong register.

Personnummer and samordningsnummer: https://www.skatteverket.se, SKV 704 and SKV 707. The issues never quote a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Literal

from stdnum import luhn
from stdnum.se import orgnr

from gateway.frozen import dataclass
from gateway.identity import systems
from gateway.issues import Issue, Severity

Gender = Literal["male", "female"]

COORDINATION_DAYS = 60
"""What a samordningsnummer adds to the day of birth."""
PLACEHOLDERS = frozenset({"", "?", "-", "NA", "N/A", "OKÄND", "UNKNOWN", "NULL"})

_TWELVE = re.compile(r"\d{12}")
_TEN = re.compile(r"(\d{6})([-+]?)(\d{4})")
_RESERVE = re.compile(r"\d{8}[0-9A-Z]{4}")
_NATIONAL_RESERVE = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)([A-HJ-NPR-UX-Z]{2})([0-9A-Z])\d")
_HSA_ID = re.compile(r"[A-Z]{2}(?:\d{10}|\d{12})-[0-9A-Z]{1,17}")
_SERVICE_HSA_ID = re.compile(r"(?:T_SERVICES_)?[A-Z]{2}\d{10,12}-[0-9A-Z]+|HSASERVICES-[0-9A-Z]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number as it is kept: system and value in their one spelling, and what the number itself says of its bearer."""

    system: str
    value: str
    birth_date: str | None = None
    gender: Gender | None = None
    issues: tuple[Issue, ...] = ()

    @property
    def usable(self) -> bool:
        return not any(issue.severity == "error" for issue in self.issues)


@lru_cache(maxsize=8192)  # A record names the same person and units over and over.
def read(system: str, value: str, own_system: str, born_before: date | None = None) -> Reading | None:
    """An identifier read under its register's rules; None where the value is only a placeholder.

    `own_system` is where a number goes that turns out to be the source's own. `born_before` is the explicit century
    rule for ten digits: the latest such date of birth is meant, or with `+` the one a hundred years before. Without
    it ten digits are refused.
    """
    register, number = systems.canonical(system), value.strip()
    if number.upper() in PLACEHOLDERS:
        return None
    if born_before and register in _NAMES and (ten := _TEN.fullmatch(number)):
        number = _with_century(ten[1], ten[2], ten[3], born_before)
    reader = _READERS.get(register)
    return reader(register, number, own_system) if reader else Reading(register, number)


def _person_number(register: str, value: str, own_system: str) -> Reading:
    number = value.replace(" ", "").upper()
    if len(number) == 13 and number[8] in "-+":
        number = number[:8] + number[9:]
    if _TEN.fullmatch(number):
        return _refused(register, value, "personnummer-century", "Ten digits do not say the century: send twelve.")
    if not _TWELVE.fullmatch(number):
        if register == systems.NATIONAL_RESERVE_NUMBER or _RESERVE.fullmatch(number):
            return _reserve_number(register, number, own_system)
        text = "Not twelve digits: send the number as YYYYMMDDNNNN without letters."
        return _refused(register, value, f"{_NAMES[register]}-format", text)
    day = int(number[6:8])
    kind = systems.SAMORDNINGSNUMMER if day > COORDINATION_DAYS else systems.PERSONNUMMER
    name = _NAMES[kind]
    born = _date(int(number[:4]), int(number[4:6]), day - (COORDINATION_DAYS if day > COORDINATION_DAYS else 0))
    if born is None:
        if register == systems.NATIONAL_RESERVE_NUMBER:
            return _local(number, own_system)
        return _refused(register, value, f"{name}-date", "The number holds no date of the calendar: check it.")
    if not luhn.is_valid(number[2:]):
        if register == systems.NATIONAL_RESERVE_NUMBER:
            return _local(number, own_system)
        return _refused(register, value, f"{name}-check-digit", "The check digit is wrong: check the number.")
    gender: Gender = "male" if int(number[10]) % 2 else "female"
    issues: tuple[Issue, ...] = ()
    if kind != register:
        issues = (_corrected(name, register),)
    return Reading(kind, number, born.isoformat(), gender, issues)


def _reserve_number(register: str, number: str, own_system: str) -> Reading:
    """XX, the century of birth plus a multiple of three, YYMMDD, two letters, a sex digit or letter, a check digit."""
    parts = _NATIONAL_RESERVE.fullmatch(number)
    if not _RESERVE.fullmatch(number) or number.isdigit():
        text = "Not a national reserve number (eight digits, then four of digits and letters): send it as it was given."
        return _refused(register, number, "reservnummer-shape", text)
    issues: list[Issue] = []
    if parts is None:
        if register != systems.NATIONAL_RESERVE_NUMBER:
            return _local(number, own_system)
        issues.append(
            _issue("warning", "reservnummer-form", "Not formed as a national reserve number; kept under that register.")
        )
        return Reading(systems.NATIONAL_RESERVE_NUMBER, number, issues=tuple(issues))
    if register != systems.NATIONAL_RESERVE_NUMBER:
        issues.append(_corrected("reservnummer", register))
    if luhn.checksum(_letters_as_numbers(number[2:])) != 0:
        issues.append(
            _issue("warning", "reservnummer-check-digit", "The check digit does not fit; the number is kept as it is.")
        )
    century, year, month, day = (int(parts[i]) for i in range(1, 5))
    birth_century = next((c for c in (18, 19, 20) if century > c and (century - c) % 3 == 0), None)
    born = _date(birth_century * 100 + year, month, day) if birth_century else None
    sex = parts[6]
    gender: Gender | None = None if not sex.isdigit() else "male" if int(sex) % 2 else "female"
    return Reading(systems.NATIONAL_RESERVE_NUMBER, number, born.isoformat() if born else None, gender, tuple(issues))


def _hsa_id(register: str, value: str, own_system: str) -> Reading:
    number = value.upper()
    if _HSA_ID.fullmatch(number) or _SERVICE_HSA_ID.fullmatch(number):
        return Reading(register, number)
    text = "Not an HSA-id: kept as the source's own number. Ask the source for the HSA-id."
    return Reading(own_system, value, issues=(_issue("warning", "hsa-id-shape", text),))


def _organisation_number(register: str, value: str, own_system: str) -> Reading:
    number = orgnr.compact(value.upper().removeprefix("SE"))
    if len(number) == 12 and number.startswith("16"):
        number = number[2:]
    if not (number.isdigit() and len(number) == 10):
        text = "Not an organisation number of ten digits: kept as the source's own number."
        return Reading(own_system, value, issues=(_issue("warning", "organisation-number-shape", text),))
    if not orgnr.is_valid(number):
        text = "The check digit of the organisation number is wrong: check it. The number is kept as it is."
        return Reading(register, number, issues=(_issue("warning", "organisation-number-check-digit", text),))
    return Reading(register, number)


_NAMES = {
    systems.PERSONNUMMER: "personnummer",
    systems.SAMORDNINGSNUMMER: "samordningsnummer",
    systems.NATIONAL_RESERVE_NUMBER: "reservnummer",
}
_READERS: dict[str, Callable[[str, str, str], Reading]] = {
    **dict.fromkeys(_NAMES, _person_number),
    systems.HSA_ID: _hsa_id,
    systems.ORGANISATION_NUMBER: _organisation_number,
}


def _with_century(digits: str, separator: str, rest: str, born_before: date) -> str:
    """Ten digits with their century: the latest year that is not after `born_before`, a hundred years less for `+`."""
    year = born_before.year - (born_before.year - int(digits[:2])) % 100
    if (year, int(digits[2:4]), int(digits[4:6]) % COORDINATION_DAYS) > (
        born_before.year,
        born_before.month,
        born_before.day,
    ):
        year -= 100
    return f"{year - (100 if separator == '+' else 0):04}{digits[2:]}{rest}"


def _local(number: str, own_system: str) -> Reading:
    # Local reserve numbers repeat between regions: the authority is part of who is meant (TKB, chapter on patient ids).
    text = "A local reserve number under a national register: kept under the source's own. Name its authority."
    return Reading(own_system, number, issues=(_issue("warning", "reservnummer-local", text),))


def _corrected(name: str, register: str) -> Issue:
    stated = _NAMES[register]
    text = f"This is a {name} and was sent as {stated}: kept as {name}. Correct the identifier system in the source."
    return _issue("warning", f"{name}-as-{stated}", text)


def _refused(register: str, value: str, rule: str, text: str) -> Reading:
    return Reading(register, value, issues=(_issue("error", rule, text),))


def _issue(severity: Severity, rule: str, text: str) -> Issue:
    return Issue(severity, "value", rule, text)


def _letters_as_numbers(number: str) -> str:
    return "".join(c if c.isdigit() else str(ord(c)) for c in number)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
