"""Elements that several parties write together: each command changes what was there, and is not one voice among others.

Who writes a plan over REST has read it, and sends it back with his changes: what he leaves out of what was known then
is taken away, by whomever it was said. A source that repeats itself brings no news. Where no caller writes, all goes
by the tables of authority.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway.coordination.values import same_key
from gateway.records import Statement

COMMANDS: Final = "organisation:"
"""How the sources of callers begin."""


@dataclass(slots=True)
class _Element:
    """What one element is, as statements go by."""

    said: list[tuple[Any, datetime]] = field(default_factory=list)
    """The single values, in their order, each with when it was recorded; None where there is none."""
    items: dict[Hashable, tuple[Any, datetime]] = field(default_factory=dict)
    is_list: bool = False


def shared(facts: Iterable[Statement], names: Collection[str]) -> Mapping[str, Any]:
    """The shared elements, decided; nothing where no caller has written. `facts` in the order of facts."""
    told = list(facts)
    if not any(one.source.startswith(COMMANDS) for one in told):
        return {}
    elements = {name: _Element() for name in names}
    before: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in told:
        key = one.source, one.record_key
        command = one.source.startswith(COMMANDS)
        for name, element in elements.items():
            now, was = one.body.get(name), before.get(key, {}).get(name)
            if isinstance(now, list) or isinstance(was, list):
                element.is_list = True
                _take_items(element, now or [], None if command else was or [], one.recorded)
            elif element.is_list and command:
                _take_items(element, [], None, one.recorded)
            else:
                _take_value(element, now, was, one.recorded, command=command)
        before[key] = one.body
    return {name: _value(element) for name, element in elements.items()}


def _take_items(element: _Element, now: Sequence[Any], was: Sequence[Any] | None, recorded: datetime) -> None:
    """Add what is new, take away what is gone; `was` is what the source said before, None: what was known then."""
    keys = {same_key(item): item for item in now}
    if was is None:
        gone = {key for key, (_, since) in element.items.items() if since <= recorded} - keys.keys()
        new = keys
    else:
        known = {same_key(item) for item in was}
        gone = known - keys.keys()
        new = {key: item for key, item in keys.items() if key not in known}
    for key in gone:
        element.items.pop(key, None)
    for key, item in new.items():
        since = element.items[key][1] if key in element.items else recorded
        element.items[key] = item, since


def _take_value(element: _Element, now: Any, was: Any, recorded: datetime, *, command: bool) -> None:
    if command:
        known = [value for value, since in element.said if since <= recorded]
        was = known[-1] if known else None
    if now != was:
        element.said.append((now, recorded))


def _value(element: _Element) -> Any:
    if element.is_list:
        return [item for item, _ in element.items.values()] or None
    return element.said[-1][0] if element.said else None
