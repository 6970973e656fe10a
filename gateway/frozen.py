"""`dataclass` for values that are made for every record: frozen to the type checker, and as cheap to make as others.

A frozen dataclass sets each field by a call of `object.__setattr__`, which takes three times as long as to set it: with
thirty values and two hundred fields to a record, that was a twentieth of all the work. Here mypy, which looks at all
of the code, refuses to assign to a field, and nothing does when it runs. Equality and hash are those of a frozen one
(docs/adr/0081).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, **options: Any) -> Any:
        """As `dataclasses.dataclass`; what is `frozen` has the hash of its fields."""
        hashed = options.pop("unsafe_hash", False) or (frozen and options.get("eq", True))
        return dataclasses.dataclass(cls, unsafe_hash=hashed, **options)


__all__ = ["dataclass"]
