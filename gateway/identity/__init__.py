"""Who is who: identifiers, persons, the gateway's own ids."""

from gateway.identity.resolve import Find, Resolved, ResolvedItem, mint, resolve
from gateway.identity.survivors import survivors

__all__ = ["Find", "Resolved", "ResolvedItem", "mint", "resolve", "survivors"]
