"""What a record says beside its resources: key, time, version, who states it; and where in the message things stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from gateway import fhirpath, formats
from gateway.fhirpath import FHIRPathError
from gateway.formats import Format, Node, Record
from gateway.issues import Issues
from gateway.mapping import quick, times
from gateway.mapping.manifest import RecordSpec
from gateway.records import Source

HSA_ROOT = "urn:oid:1.2.752.129.2.1.4.1"
"""HSA-ids as RIV-TA writes them; with a fragment it is the system of a record's own id within a source."""

NEEDED = "needs "
"""How a path is named that the manifest needs to give something."""

Paths = Mapping[str, Callable[[Any, quick.Known], Sequence[Any]]]
"""The manifest's paths, compiled: functions of the record's node and its facts."""


def paths(record: RecordSpec) -> Paths:
    """The manifest's FHIRPaths on a kind of record, compiled."""
    named = {
        "key": record.key,
        "as_of": record.as_of,
        "version": record.version,
        "party": record.party,
        "provider": record.provider,
        **{NEEDED + path: path for path in record.needs},
    }
    return {name: quick.function(fhirpath.compile(text)) for name, text in named.items() if text}


@lru_cache(maxsize=256)
def of_source(source: Source) -> Mapping[str, Any]:
    """What maps may know of the source, as `%source`."""
    return {
        "id": source.id,
        "name": source.name,
        "hsaId": source.hsa_id,
        "controller": source.controller,
        "controllerName": source.controller_name,
        "role": source.role,
        "municipality": source.municipality,
        "timezone": source.timezone,
        "idSystem": f"{HSA_ROOT}#{source.hsa_id}",
    }


ABOUT: Mapping[str, tuple[str, ...]] = {
    "source": tuple(of_source(Source("", "", "", "", ""))),
    "record": ("kind",),
}
"""What `%source` and `%record` have: another name there is a mistake of the map, and would be empty for ever."""


class Facts:
    """One record of one source. With the message's `body`, places are lines and columns."""

    __slots__ = ("body", "form", "issues", "paths", "record", "source", "variables", "zone")

    def __init__(self, form: Format, record: Record, source: Source, body: bytes, issues: Issues, known: Paths) -> None:
        self.form = form
        self.record = record
        self.body = body
        self.issues = issues
        self.paths = known
        self.zone = ZoneInfo(source.timezone)
        self.source = of_source(source)
        self.variables: dict[str, Any] = {"source": self.source, "record": {"kind": record.kind}}

    def where(self, node: Any = None) -> str:
        """The place of a node; without the message at hand, the record's place and the node's name."""
        if isinstance(node, Node) and self.body:
            return str(formats.position(self.form.kind, node, self.body))
        place = str(self.record.position)
        return f"{place}, {node.name}" if isinstance(node, Node) and node is not self.record.node else place

    def text(self, name: str) -> str:
        """What one of the manifest's paths gives; empty where it gives nothing."""
        path = self.paths.get(name)
        if path is None:
            return ""
        try:
            found = path(self.record.node, self)
        except FHIRPathError as error:
            text = f"The manifest's path for {name} could not be evaluated: {error.problems[0].text}"
            self.issues.error("processing", "expression-failed", text, self.where())
            return ""
        value = found[0] if found else None
        if isinstance(value, Node):  # With parts beside its value, as any field of HL7 v2 has.
            value = value.value
        return "" if value is None else str(value).strip()

    def keyless(self, path: str) -> None:
        """An issue that says where the key was looked for: a column that was renamed, or a path that is misspelt."""
        text = (
            f"There is nothing at {path}, where the manifest looks for the record's key; its first identifier "
            "stands in. Mend the path, or ask the source."
        )
        self.issues.warning("required", "key-missing", text, self.where())

    def needed(self) -> None:
        """An issue for each thing that the record cannot do without and does not say."""
        for name in self.paths:
            if name.startswith(NEEDED) and not self.text(name):
                text = f"The record does not say {name.removeprefix(NEEDED)}, which it must: it is held. Send it whole."
                self.issues.error("required", "value-missing", text, self.where())

    def moment(self) -> datetime | None:
        """Of when the record is; None, and an issue where it should say so, when it does not."""
        if "as_of" not in self.paths:
            return None
        text = self.text("as_of")
        if not text:
            missing = "The record does not say of when it is; the time of its arrival stands in. Ask the source for it."
            self.issues.warning("required", "as-of-missing", missing, self.where())
            return None
        try:
            return times.instant(times.parts(text), self.zone, lambda: self._ambiguous(text))
        except times.Unfit as error:
            wrong = f"The record's time is {error}; the time of its arrival stands in. Mend it in the source."
            self.issues.warning("value", "as-of-not-valid", wrong, self.where(self.record.node.find(text)))
            return None

    def _ambiguous(self, value: str) -> None:
        text = "The record's time is in the hour that occurs twice; the first was taken. Send times with their offset."
        where = self.where(self.record.node.find(value))
        if not any(issue.rule == "ambiguous-hour" and issue.where == where for issue in self.issues):
            self.issues.information("value", "ambiguous-hour", text, where)
