"""UCUM units as a factor and dimensions: what it takes to compare `4 g` with `4000 mg`.

Arbitrary units (`[iU]`) are dimensions of their own; units on other than ratio scales (`Cel`) compare with themselves
only. https://ucum.org/ucum
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip

# Units that take prefixes, in terms of others; base units stand for themselves.
METRIC = {
    "m": "m", "s": "s", "g": "g", "rad": "rad", "K": "K", "C": "C", "cd": "cd", "mol": "6.02214076E23 1",
    "sr": "rad2", "Hz": "s-1", "N": "kg.m/s2", "Pa": "N/m2", "J": "N.m", "W": "J/s", "A": "C/s", "V": "J/C",
    "F": "C/V", "Ohm": "V/A", "S": "Ohm-1", "Wb": "V.s", "T": "Wb/m2", "H": "Wb/A", "lm": "cd.sr", "lx": "lm/m2",
    "Bq": "s-1", "Gy": "J/kg", "Sv": "J/kg", "kat": "mol/s", "U": "umol/min", "l": "dm3", "L": "dm3", "t": "1000 kg",
    "bar": "100000 Pa", "eq": "mol", "osm": "mol", "cal": "4.184 J", "Ci": "3.7E10 Bq", "m[H2O]": "9806.65 Pa",
    "m[Hg]": "133322 Pa", "eV": "1.602176634E-19 J", "u": "1.66053906660E-24 g", "B": "B", "dyn": "g.cm/s2",
    "[iU]": "[iU]", "[IU]": "[iU]", "P": "dyn.s/cm2", "St": "cm2/s", "R": "0.000258 C/kg",
}  # fmt: skip

# Units that do not.
PLAIN = {
    "%": "0.01 1", "[ppth]": "0.001 1", "[ppm]": "0.000001 1", "[ppb]": "0.000000001 1", "[pi]": "3.14159265358979 1",
    "10*": "10 1", "10^": "10 1", "min": "60 s", "h": "60 min", "d": "24 h", "wk": "7 d", "a": "365.25 d",
    "mo": "30.4375 d", "deg": "0.0174532925199433 rad", "'": "0.000290888208665722 rad", "ar": "100 m2",
    "[in_i]": "2.54 cm", "[ft_i]": "12 [in_i]", "[yd_i]": "3 [ft_i]", "[mi_i]": "5280 [ft_i]",
    "[lb_av]": "453.59237 g", "[oz_av]": "28.349523125 g", "[gr]": "64.79891 mg", "[st_av]": "14 [lb_av]",
    "[foz_us]": "29.5735295625 ml", "[cup_us]": "236.5882365 ml", "[tsp_us]": "4.92892159375 ml",
    "[tbs_us]": "14.78676478125 ml", "[pt_us]": "473.176473 ml", "[qt_us]": "946.352946 ml",
    "[gal_us]": "3785.411784 ml",
    "[cal]": "4.184 J", "[Cal]": "4184 J", "[drp]": "0.05 ml", "atm": "101325 Pa", "[psi]": "6894.757293168 Pa",
    "[arb'U]": "[arb'U]", "[CFU]": "[CFU]", "[pH]": "[pH]", "Cel": "Cel", "[degF]": "[degF]", "[APL'U]": "[APL'U]",
    "[Ch]": "mm/3", "[diop]": "m-1", "[HPF]": "1", "[LPF]": "100 1", "st": "m3", "[car_m]": "0.2 g",
    "[GPL'U]": "[GPL'U]",
    "[MPL'U]": "[MPL'U]", "[beth'U]": "[beth'U]", "[CCID_50]": "[CCID_50]", "[ELU]": "[ELU]", "[FFU]": "[FFU]",
    "[PFU]": "[PFU]", "[USP'U]": "[USP'U]", "[kn_i]": "1852 m/h", "[nmi_i]": "1852 m", "g%": "g/dl", "[S]": "1E-13 s",
}  # fmt: skip

_ATOM = re.compile(r"10[*^]|\[[^\]]*\](?:_[A-Za-z0-9]+)?|[A-Za-z%']+(?:\[[A-Za-z0-9]+\])?")
_EXPONENT = re.compile(r"[+-]?\d+")
_ALONE = re.compile(r"(^|[./(])\{[^}]*\}")
_ANNOTATION = re.compile(r"\{[^}]*\}")
_MAX_LENGTH = 100
_MAX_POWER = 30


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` in base units; `dimensions` are the base units with their exponents, sorted."""

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]

    def times(self, other: Unit, power: int = 1) -> Unit:
        total = dict(self.dimensions)
        for name, exponent in other.dimensions:
            total[name] = total.get(name, 0) + exponent * power
        dimensions = tuple(sorted((name, exponent) for name, exponent in total.items() if exponent))
        return Unit(self.factor * other.factor**power, dimensions)


ONE = Unit(Fraction(1), ())


@lru_cache(maxsize=1024)
def unit(code: str) -> Unit | None:
    """What a UCUM code means, or None where it is not one that is known here."""
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
    number = re.match(r"\d+(?![*^])", text)
    if number and not text.startswith(("10*", "10^")):
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


@lru_cache(maxsize=512)
def _simple(atom: str) -> Unit:
    if atom in METRIC:
        return _defined(atom, METRIC[atom])
    if atom in PLAIN:
        return _defined(atom, PLAIN[atom])
    for length in (2, 1):
        prefix, rest = atom[:length], atom[length:]
        if prefix in PREFIXES and rest in METRIC:
            base = _simple(rest)
            return Unit(base.factor * Fraction(10) ** PREFIXES[prefix], base.dimensions)
    raise ValueError


def _defined(atom: str, meaning: str) -> Unit:
    if meaning == atom:
        return Unit(Fraction(1), ((atom, 1),))
    factor, _, rest = meaning.rpartition(" ")
    result, left = _term(rest)
    if left:
        raise ValueError
    return Unit(result.factor * Fraction(factor or "1"), result.dimensions)
