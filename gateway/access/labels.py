"""$meta, $meta-add, $meta-delete: profiles, tags and security labels, of one resource or of all that may be seen.

A change of labels makes a new version, as every change here: who could see what, and when, must be told from the
history, and a version once served stays what it was (ADR 32).

https://hl7.org/fhir/R4/resource-operation-meta.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from gateway.access.caller import Asking
from gateway.access.commands import Body, Done, Patch, Versions
from gateway.access.conditions import narrowing
from gateway.access.decision import decide
from gateway.access.writing import Writing
from gateway.errors import Unprocessable
from gateway.records import Resource
from gateway.search.numbers import number

Meta = dict[str, Any]
Merge = Callable[[list[Any], list[Any]], list[Any]]
LABELS: Final = ("profile", "security", "tag")
"""The elements of Meta that the operations are about; they are sets."""
MOST: Final = 1000


class Labelling(Writing):
    """labels, meta_add, meta_delete."""

    def labels(self, asking: Asking, resource_type: str | None) -> Meta:
        """What is in use in a type, or in all. Unprocessable where that is too much to tell."""
        if resource_type is not None:
            self.known_type(resource_type)
        types = self._rooms.definitions.resource_types if resource_type is None else (resource_type,)
        tokens = [number(one, code) for one in types for code in ("_tag", "_security")]
        uris = [number(one, "_profile") for one in types]
        visible = narrowing(self, asking.caller)
        found, whole = self._rooms.store.read(lambda uow: uow.labels.bearers(tokens, uris, visible, most=MOST))
        self.audit(asking, decide(asking.caller, resource_type or "Resource", takes_part=None))
        if not whole:
            text = f"More than {MOST} labels are in use. Ask for those of one type."
            raise Unprocessable(text, rule="too-costly")
        return _told(self._metas(found))

    def _metas(self, found: Iterable[Resource]) -> Meta:
        made: Meta = {}
        for one in found:
            made = _with(made, one.get("meta", {}), _added)
        return {name: sorted(values, key=_order) for name, values in made.items()}

    def meta_add(
        self, asking: Asking, resource_type: str, id: str, meta: Meta, body: Body, *, if_match: Versions | None = None
    ) -> Done:
        """Add labels that are not there yet. NotFound, Gone."""
        return self._labelled(asking, resource_type, id, meta, body, _added, if_match)

    def meta_delete(
        self, asking: Asking, resource_type: str, id: str, meta: Meta, body: Body, *, if_match: Versions | None = None
    ) -> Done:
        """Take labels away; those that are not there are no error. NotFound, Gone."""
        return self._labelled(asking, resource_type, id, meta, body, _removed, if_match)

    def _labelled(
        self,
        asking: Asking,
        resource_type: str,
        id: str,
        meta: Meta,
        body: Body,
        merge: Merge,
        if_match: Versions | None,
    ) -> Done:
        self.known_type(resource_type)

        def change(resource: Resource) -> Resource:
            made = _with(resource.get("meta", {}), meta, merge)
            kept = {name: value for name, value in resource.items() if name != "meta"}
            return {**kept, "meta": made} if made else kept

        command = Patch(resource_type=resource_type, target=id, change=change, if_match=if_match)
        return self.write(asking, command, body)


def _with(meta: Meta, other: Meta, merge: Merge) -> Meta:
    made = {**meta, **{name: merge(meta.get(name, []), other.get(name, [])) for name in LABELS}}
    return {name: value for name, value in made.items() if value != []}


def _told(meta: Meta) -> Meta:
    return {name: meta[name] for name in LABELS if name in meta}


def _added(there: list[Any], given: list[Any]) -> list[Any]:
    known, made = {_identity(one) for one in there}, list(there)
    for one in given:
        if _identity(one) not in known:
            known.add(_identity(one))
            made.append(one)
    return made


def _removed(there: list[Any], given: list[Any]) -> list[Any]:
    unwanted = {_identity(one) for one in given}
    return [one for one in there if _identity(one) not in unwanted]


def _identity(label: Any) -> tuple[Any, ...]:
    """A profile is its url; a tag or security label its system and code, whatever it is called."""
    return (label.get("system"), label.get("code")) if isinstance(label, dict) else (label,)


def _order(label: Any) -> tuple[str, ...]:
    return tuple(str(part or "") for part in _identity(label))
