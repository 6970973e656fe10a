"""UCUM units as a factor and dimensions: what it takes to compare `4 g` with `4000 mg`, and `37 Cel` with `310.15 K`.

The table is the official one (`units.tsv`, by `scripts/build-units`; why our own reader: ADR 31). An arbitrary unit
(`[iU]`) is a dimension of its own. https://ucum.org/ucum
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources

from gateway.fhirpath.scales import SCALES

_ATOM = re.compile(r"10[*^]|(?:[A-Za-z_%'\"]|\[[^\][]*\])+")
_NUMBER = re.compile(r"\d+(?![*^])")
_EXPONENT = re.compile(r"[+-]?\d+")
_ALONE = re.compile(r"(^|[./(])\{[^}]*\}")
_ANNOTATION = re.compile(r"\{[^}]*\}")
_MAX_LENGTH = 100
_MAX_POWER = 30
_MAX_BITS = 8_000
"""Of a factor: powers of powers would grow without end. `(10*30)30` has 3,000."""
_MAX_DIGITS = 400
"""How far from 1 an amount may be, in powers of ten: a number of JSON may be 1e999999999."""


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` in base units; `dimensions` are the base units with their exponents, sorted.

    A unit on a scale of its own (`Cel`, `[pH]`, `dB`) has the scale's name, and in `prefix` what a prefix makes of it.
    """

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]
    scale: str = ""
    prefix: Fraction = Fraction(1)

    def times(self, other: Unit, power: int = 1) -> Unit:
        if self.scale or other.scale:
            # Such a unit is not multiplied: https://ucum.org/ucum#para-21
            if self == ONE and power == 1:
                return other
            raise ValueError
        if _bits(self.factor) + _bits(other.factor) * abs(power) > _MAX_BITS:
            raise ValueError
        total = dict(self.dimensions)
        for name, exponent in other.dimensions:
            total[name] = total.get(name, 0) + exponent * power
        dimensions = tuple(sorted((name, exponent) for name, exponent in total.items() if exponent))
        return Unit(self.factor * other.factor**power, dimensions)

    def amount(self, value: Fraction | Decimal) -> Fraction | None:
        """So many of the unit in base units; None for what is beyond all measure."""
        if isinstance(value, Decimal) and not measurable(value):
            return None
        if not self.scale:
            return Fraction(value) * self.factor
        proper = SCALES[self.scale].proper(Fraction(value) * self.prefix)
        return None if proper is None else proper * self.factor

    def value(self, amount: Fraction) -> Fraction | None:
        """An amount of base units in this unit; None where the scale does not reach."""
        if not self.scale:
            return amount / self.factor
        special = SCALES[self.scale].special(amount / self.factor)
        return None if special is None else special / self.prefix


def measurable(value: Decimal) -> bool:
    """Whether a number is not beyond all measure."""
    return value.is_finite() and (not value or abs(value.adjusted()) <= _MAX_DIGITS)


def _bits(factor: Fraction) -> int:
    return max(abs(factor.numerator).bit_length(), factor.denominator.bit_length())


ONE = Unit(Fraction(1), ())


@dataclass(frozen=True, slots=True)
class _Row:
    metric: bool
    arbitrary: bool
    factor: Fraction
    unit: str
    scale: str


@cache
def _tables() -> tuple[dict[str, Fraction], dict[str, _Row]]:
    """The prefixes, and the units by code; read when the first unit is asked for."""
    prefixes: dict[str, Fraction] = {}
    units: dict[str, _Row] = {}
    text = resources.files("gateway.fhirpath").joinpath("units.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        code, flags, factor, *rest = line.split("\t")
        if rest:
            unit, scale = (*rest, "")[:2]
            units[code] = _Row("m" in flags, "a" in flags, Fraction(factor), unit, scale)
        else:
            prefixes[code.removesuffix("-")] = Fraction(factor)
    return prefixes, units


def codes() -> list[str]:
    """The codes of all units, without prefixes."""
    return list(_tables()[1])


@lru_cache(maxsize=1024)
def unit(code: str) -> Unit | None:
    """What a UCUM code means, or None where it is not one."""
    if len(code) > _MAX_LENGTH:
        return None
    try:
        # An annotation says nothing beside a unit, and stands for 1 without one: mL/min/{1.73_m2}.
        result, rest = _term(_ANNOTATION.sub("", _ALONE.sub(r"\g<1>1", code)) or "1")
    except (ValueError, ZeroDivisionError, RecursionError):
        return None
    return None if rest else result


def canonical(dimensions: tuple[tuple[str, int], ...]) -> str:
    """The code of the base unit with these dimensions, as `g.m-3`."""
    return ".".join(f"{name}{'' if exponent == 1 else exponent}" for name, exponent in dimensions) or "1"


def _term(text: str) -> tuple[Unit, str]:
    """From left to right: in `a/b.c` the c is above the line. https://ucum.org/ucum#para-7"""
    result, power = ONE, 1
    if text.startswith("/"):
        power, text = -1, text[1:]
    while True:
        part, text = _component(text)
        result = result.times(part, power)
        if not text or text[0] not in "./":
            return result, text
        power, text = (1 if text[0] == "." else -1), text[1:]


def _component(text: str) -> tuple[Unit, str]:
    if text.startswith("("):
        inner, rest = _term(text[1:])
        if not rest.startswith(")"):
            raise ValueError
        return _powered(inner, rest[1:])
    number = None if text.startswith(("10*", "10^")) else _NUMBER.match(text)
    if number:
        return Unit(Fraction(int(number[0])), ()), text[number.end() :]
    atom = _ATOM.match(text)
    if atom is None:
        raise ValueError
    return _powered(_simple(atom[0]), text[atom.end() :])


def _powered(base: Unit, rest: str) -> tuple[Unit, str]:
    exponent = _EXPONENT.match(rest)
    if exponent is None:
        return base, rest
    power = int(exponent[0])
    if abs(power) > _MAX_POWER:
        raise ValueError
    return ONE.times(base, power), rest[exponent.end() :]


@lru_cache(maxsize=1024)
def _simple(atom: str) -> Unit:
    prefixes, units = _tables()
    if atom in units:
        return _defined(atom, units[atom])
    for length in (2, 1):
        prefix, rest = atom[:length], atom[length:]
        if prefix in prefixes and rest in units and units[rest].metric:
            base = _simple(rest)
            if base.scale:
                return replace(base, prefix=prefixes[prefix])
            return Unit(base.factor * prefixes[prefix], base.dimensions)
    raise ValueError


def _defined(atom: str, row: _Row) -> Unit:
    if row.unit == atom or (row.arbitrary and row.unit == "1"):
        return Unit(Fraction(1), ((atom, 1),))
    result, left = _term(row.unit)
    if left:
        raise ValueError
    return Unit(result.factor * row.factor, result.dimensions, row.scale)
