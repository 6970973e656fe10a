"""What a search asks for, as values: conditions on rows of one table, and criteria on resources.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]


@dataclass(frozen=True, slots=True)
class TokenIs:
    """`system` None: in any system, empty: without one; `code` None: any code of the system."""

    system: str | None
    code: str | None
    """Folded."""
    exact: str = ""
    """As it is written, for systems that mind case."""
    begins: bool = False
    """Whether a longer code that begins with this one will do."""


@dataclass(frozen=True, slots=True)
class RefersTo:
    """`type` None: of whatever type, empty: `id` is the url of something that is not ours."""

    type: str | None
    id: str


@dataclass(frozen=True, slots=True)
class RefersToAny:
    """Whichever of this type."""

    type: str


@dataclass(frozen=True, slots=True)
class DateIs:
    prefix: Prefix
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class StringIs:
    how: Literal["starts", "contains", "exact"]
    value: str
    """Normalised."""
    exact: str


@dataclass(frozen=True, slots=True)
class UriIs:
    how: Literal["is", "below", "above"]
    value: str


@dataclass(frozen=True, slots=True)
class NumberIs:
    """`value` is what was written, `low` to `high` what it stands for at its precision."""

    prefix: Prefix
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QuantityIs:
    """`system` None: any unit of this code or name; `code` None: any unit."""

    number: NumberIs
    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class IdIs:
    id: str


TextOperator = Literal["eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"]


@dataclass(frozen=True, slots=True)
class TextIs:
    """The whole text, compared as a `_filter` does: https://hl7.org/fhir/R4/search_filter.html#ops"""

    operator: TextOperator
    value: str
    """Normalised."""


@dataclass(frozen=True, slots=True)
class Covers:
    """A time that has all of this in it."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Unlike:
    """A value that does not meet the condition; others of the same resource may."""

    condition: TokenIs | UriIs


@dataclass(frozen=True, slots=True)
class VersionIs:
    """A canonical of this version, or of one within it: 1 has 1.0 and 1.1."""

    url: str
    version: str


@dataclass(frozen=True, slots=True)
class Near:
    """Not further than `chord` from a point, both on the unit sphere."""

    z: float
    x: float
    y: float
    chord: float


@dataclass(frozen=True, slots=True)
class WordsAre:
    """Text that a query of words finds, in the language of each database's index."""

    sqlite: str
    postgresql: str
    edge: int
    """0: in the narrative, 1: anywhere."""


Condition = (
    TextIs
    | Covers
    | Unlike
    | TokenIs
    | RefersTo
    | RefersToAny
    | DateIs
    | StringIs
    | UriIs
    | NumberIs
    | QuantityIs
    | IdIs
    | VersionIs
    | Near
    | WordsAre
)


Numbers = tuple[int, ...]
"""The numbers that a parameter has in the types that are searched: one in each."""


@dataclass(frozen=True, slots=True)
class Where:
    """At least one row of the parameter meets one of the conditions; `negated`: none does."""

    kind: str
    numbers: Numbers
    conditions: tuple[Condition, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """The resource has no row of the parameter in any of these places, or with `missing` False has one."""

    places: tuple[tuple[str, Numbers], ...]
    missing: bool


@dataclass(frozen=True, slots=True)
class Own:
    """On the resource's own id, or on the time of its version."""

    what: Literal["_id", "_lastUpdated"]
    conditions: tuple[Condition, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Itself:
    """The resource is this one: a compartment holds the one that it is named after."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference of the resource leads to one of `type` that meets all of `inner`.

    `url` is the number of the urls that canonicals name it by, None where the type has none.
    """

    numbers: Numbers
    type: str
    inner: tuple[Criterion, ...]
    url: int | None = None


@dataclass(frozen=True, slots=True)
class ReverseChain:
    """A resource of `type` that meets all of `inner` refers to the resource, which is of one of `targets`.

    `urls` are the numbers of the urls that canonicals name those by.
    """

    type: str
    numbers: Numbers
    targets: tuple[str, ...]
    inner: tuple[Criterion, ...]
    urls: Numbers = ()


@dataclass(frozen=True, slots=True)
class OfType:
    """The resource is of this type, where a search is of others too."""

    type: str


@dataclass(frozen=True, slots=True)
class Together:
    """Rows of one element of the resource meet all of these: (kind, number, conditions) of a composite's components.

    Without conditions there is such a row. What a resource contains is an element too.
    """

    parts: tuple[tuple[str, Numbers, tuple[Condition, ...]], ...]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A reference of the resource leads to one of `type` or to what lies below it (`up`: above) by its `part_of`."""

    numbers: Numbers
    type: str
    id: str
    part_of: int
    up: bool


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these: a chain over a parameter that has several types of target."""

    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each of these."""

    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever does not meet it."""

    criterion: Criterion


Criterion = Where | Missing | Own | Itself | OfType | Together | Hierarchy | Chain | ReverseChain | AnyOf | AllOf | Not
