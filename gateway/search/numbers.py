"""The numbers that stand for search parameters in the search tables.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b


@lru_cache(maxsize=16384)
def number(resource_type: str, code: str) -> int:
    """The number that stands for a parameter of a type in every search table: a hash, the same everywhere for ever."""
    digest = blake2b(f"{resource_type}.{code}".encode(), digest_size=4, person=b"search").digest()
    return int.from_bytes(digest, "big") >> 1


def identifier_number(resource_type: str, code: str) -> int:
    """The number for the identifiers of a reference parameter's references, which are tokens."""
    return number(resource_type, code + ":identifier")


def text_number(resource_type: str, code: str) -> int:
    """The number for the texts of a token parameter's values, which are strings."""
    return number(resource_type, code + ":text")


def typed_number(resource_type: str, code: str) -> int:
    """The number for the types of a token parameter's identifiers with their values, which are tokens."""
    return number(resource_type, code + ":of-type")


def component_number(resource_type: str, code: str, position: int) -> int:
    """The number for one component of a composite parameter."""
    return number(resource_type, f"{code}${position}")


def contained_number(resource_type: str, code: str) -> int:
    """The number for what is contained in other resources: theirs are the rows, and `edge` says in which it stands."""
    return number(within(resource_type), code)


def within(resource_type: str) -> str:
    """What a type is called where a resource of it is contained in another."""
    return f"#{resource_type}"


def link_number(resource_type: str, code: str) -> int:
    """The number for a reference parameter's references to what the resource itself contains."""
    return number(resource_type, code + ":contained")
