"""Where in the message stands what was found wrong only when its drafts were resolved: an identifier.

Identity knows drafts, not messages; it says by FHIRPath which identifier it means. The value is looked up in the draft
and found again among the record's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gateway import formats
from gateway.formats import Format, Record
from gateway.issues import Issue
from gateway.records import Draft

_STEP = re.compile(r"\.(\w+)(?:\[(\d+)\])?")


def placed(
    issues: Iterable[Issue], *, drafts: Sequence[Draft], record: Record, form: Format, body: bytes
) -> Iterator[Issue]:
    """The issues, each with its place, and what is wrong in one place said once."""
    said: set[tuple[str, str | None]] = set()
    for issue in issues:
        found = issue if issue.where else issue.at(_place(issue, drafts, record, form, body))
        if (found.rule, found.where) not in said:
            said.add((found.rule, found.where))
            yield found


def _place(issue: Issue, drafts: Sequence[Draft], record: Record, form: Format, body: bytes) -> str:
    for value in _values(issue.expression or "", drafts):
        node = record.node.find(value)
        if node is not None:
            return str(formats.position(form.kind, node, body))
    return str(record.position)


def _values(expression: str, drafts: Sequence[Draft]) -> Iterator[str]:
    """What stands at the path in each draft of its type."""
    kind, _, _ = expression.partition(".")
    for draft in drafts:
        if draft.resource["resourceType"] == kind:
            found = _at(draft.resource, expression)
            if isinstance(found, dict) and isinstance(found.get("value"), str):
                yield found["value"]


def _at(value: Any, expression: str) -> Any:
    for name, index in _STEP.findall(expression):
        value = value.get(name) if isinstance(value, dict) else None
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
    return value[0] if isinstance(value, list) and value else value
