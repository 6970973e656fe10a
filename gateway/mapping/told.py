"""Answers about messages, for people as text and for machines as JSON: why something is empty, what is not read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.mapping.whynot import WhyNot


def why_nots(found: Iterable[WhyNot]) -> tuple[str, list[dict[str, Any]]]:
    """A record, how many of its drafts lack the element, and a line for each rule that could fill it."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    every = list(found)
    # A message holds other kinds of record too: those that neither have nor make such a resource are passed over.
    concerned = [one for one in every if one.drafts or one.candidates or one.issues] or every[:1]
    for one in concerned:
        lines.append(f"record {one.kind or 'unknown'} at {one.where}: {_state(one)}")
        lines += [f"  {issue}" for issue in one.issues]
        for candidate in one.candidates:
            label = f"{candidate.rule.file}:{candidate.rule.line} {candidate.rule.label} -> {candidate.path}"
            lines.append(f"  {label}" if candidate.reached else f"  {label}: never reached")
            for stop in candidate.stops:
                by = "" if stop.rule == candidate.rule else f"{stop.rule.file}:{stop.rule.line} {stop.rule.label}: "
                places = f" ({'; '.join(stop.where)})" if stop.where else ""
                lines.append(f"      {by}{stop.text}{places}")
        data.append(one.to_json())
    return "\n".join(lines) or "the file has no record", data


def _state(one: WhyNot) -> str:
    resource = one.path.partition(".")[0]
    if one.issues:
        return "it is not mapped"
    if one.drafts and one.filled == one.drafts:
        return f"{one.path} is filled" + (f" in all {one.drafts} drafts" if one.drafts > 1 else "")
    many = len(one.candidates)
    rules = f"{many} rule{'s' if many > 1 else ''} could fill it" if many else "no rule of the map writes it"
    if not one.drafts:
        return f"there is no {resource}; {rules}"
    if one.drafts == 1:
        return f"{one.path} is empty; {rules}"
    return f"{one.path} is empty in {one.drafts - one.filled} of {one.drafts} drafts; {rules}"
