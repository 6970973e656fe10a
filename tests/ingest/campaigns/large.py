"""A large database of all packages and of Synthea's persons: what was linked, proposed, contradicted and is missing.

The deliveries of `care` come in their order of arrival by a clock that is set to it. The database lies beside the
state; what is kept has an id of its own, so that a campaign that was stopped goes on from the last batch.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.access.caller import OPERATOR, Asking
from gateway.access.importing import Input
from gateway.app import Gateway, settle, wire
from gateway.coordination import weak_links
from gateway.records import Link, Resource
from gateway.settings import Settings
from gateway.store import Stored
from tests.ingest.campaigns.care import Delivery, World
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State

SOURCES = Path(__file__).with_suffix(".toml")
SYNTHEA = Path(__file__).parents[4] / "shared" / "data" / "synthea-r4"
BATCH = 500
SAMPLE = 50
SWEDEN = ZoneInfo("Europe/Stockholm")


class Clock:
    """Set to when a message arrives."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair that is proposed, and whether the world meant one thing by both."""

    link: Link
    one: Stored
    other: Stored
    right: bool


def campaign(
    folder: Path, *, records: int, seed: int, synthea: Path, state: State, say: Callable[[str], None]
) -> Report:
    """Load what is not loaded yet, then count and show a sample."""
    clock = Clock()
    gateway = wire(Settings(database_url=f"sqlite:///{folder}/large.db", sources=SOURCES), clock)
    try:
        settle()
        world = World(seed, records)
        deliveries = world.deliveries()
        if "synthea" not in state.said:
            state.said["synthea"] = _import(gateway, synthea)
            state.save()
            say(f"synthea: {state.said['synthea']} resources")
        _load(gateway, clock, deliveries, state, say)
        _watch(gateway, say)
        report = _report(gateway, world, deliveries, state, seed)
        rebuilt = gateway.rebuild(lambda *_: None)
        report.lines.insert(2, f"rebuild: {rebuilt.equal} equal, {len(rebuilt.different)} different")
        report.wrong += rebuilt.different[:20]
        return report
    finally:
        gateway.close()


def _import(gateway: Gateway, synthea: Path) -> int:
    """Every Bundle of the folder, each a transaction that is written in the operator's name."""
    files = sorted(synthea.glob("*.json"))
    if not files:
        return 0
    asking = Asking(OPERATOR, "import", request_id="large")
    inputs = [Input(str(path), lines=False, hash=str(path.stat().st_size)) for path in files]
    begun = gateway.door.begin_import(asking, inputs, base="", again=True)
    for number, path in enumerate(files):
        with path.open("rb") as stream:
            gateway.door.import_file(asking, begun.id, number, stream, lambda: None)
    return gateway.door.end_import(begun.id).total.stored


def _load(gateway: Gateway, clock: Clock, deliveries: list[Delivery], state: State, say: Callable[[str], None]) -> None:
    total = len(deliveries)
    for first in range(state.said.get("messages", 0), total, BATCH):
        for number, one in enumerate(deliveries[first : first + BATCH], first):
            clock.now = one.at.replace(tzinfo=SWEDEN).astimezone(UTC)
            source = gateway.sources.get(one.source)
            gateway.ingest.keep(source, one.body, "application/octet-stream", id=f"large-{number}")
        while gateway.ingest.process_waiting():
            pass
        state.said["messages"] = min(first + BATCH, total)
        state.save()
        if first // BATCH % 10 == 9:
            say(f"{state.said['messages']} of {total} messages")
    clock.now = deliveries[-1].at.replace(tzinfo=SWEDEN).astimezone(UTC) + timedelta(minutes=1)


def _watch(gateway: Gateway, say: Callable[[str], None]) -> None:
    """Raise the gaps of all persons, as the job does."""
    runner, steps = gateway.watch(), 0
    while runner.run_due(lambda step: None):
        steps += 1
    say(f"gaps looked for in {steps} rounds")


def _report(gateway: Gateway, world: World, deliveries: list[Delivery], state: State, seed: int) -> Report:
    report = Report()
    current = {
        (one.resource_type, one.id): one
        for one in gateway.store.read(lambda uow: list(uow.resources.all()))
        if not one.deleted
    }
    links = _links(gateway)
    items: Counter[str] = Counter()
    report.lines += [
        f"{len(deliveries)} messages, {sum(one.records for one in deliveries)} records, "
        f"{state.said['synthea']} resources of Synthea",
        f"items: {_counted(_items(gateway, items))}",
        f"resources: {_counted(Counter(kind for kind, _ in current))}",
        f"links: {_counted(Counter(f'{one.resource_type} {one.kind}, {one.reason}' for one in links))}",
    ]
    told = {key: one.resource() for key, one in current.items()}
    contradictions = Counter(found["path"] for one in current.values() for found in one.contradictions)
    report.lines.append(f"contradictions: {sum(contradictions.values())}: {_counted(contradictions)}")
    gaps = [one for (kind, _), one in told.items() if kind == "DetectedIssue"]
    standing = Counter(_code(one) for one in gaps if "end" not in one.get("identifiedPeriod", {}))
    report.lines.append(f"gaps open: {sum(standing.values())} of {len(gaps)} raised: {_counted(standing)}")
    weak = [one for one in links if one.kind == "proposed" and one.reason == weak_links.REASON]
    judged = list(_judged(weak, current, world.truth))
    right = sum(one.right for one in judged)
    report.lines.append(
        f"weak links: {len(weak)} ever proposed, {len(judged)} of them hold now, {right} meant as one thing"
    )
    report.lines += _missed(told, world.truth, judged)
    sample = random.Random(seed).sample(judged, min(SAMPLE, len(judged)))
    for number, one in enumerate(sorted(sample, key=lambda one: (one.link.resource_type, one.link.from_id)), 1):
        report.lines += _shown(number, one)
    return report


def _links(gateway: Gateway) -> list[Link]:
    """Every link, each pair and kind once."""
    found = gateway.store.read(lambda uow: list(uow.links.all()))
    return list({(one.resource_type, *sorted((one.from_id, one.to_id)), one.kind): one for one in found}.values())


def _items(gateway: Gateway, found: Counter[str]) -> Counter[str]:
    def count(uow: Any) -> None:
        for entry in uow.inbox.entries(limit=10**9):
            found.update(item.state for item in uow.inbox.items(entry.id))

    gateway.store.read(count)
    return found


def _judged(
    links: Iterable[Link], current: Mapping[tuple[str, str], Stored], truth: Mapping[str, str]
) -> Iterator[Judged]:
    for link in links:
        one = current.get((link.resource_type, link.from_id))
        other = current.get((link.resource_type, link.to_id))
        if one is not None and other is not None:
            pair = one.resource(), other.resource()
            if weak_links.may_be_one(*pair):
                yield Judged(link, one, other, bool(_things(pair[0], truth) & _things(pair[1], truth)))


def _missed(
    told: Mapping[tuple[str, str], Resource], truth: Mapping[str, str], judged: Iterable[Judged]
) -> Iterator[str]:
    """What was meant as one thing, is two, and is not proposed."""
    proposed = {frozenset((one.link.from_id, one.link.to_id)) for one in judged}
    by_thing: dict[tuple[str, str], list[Resource]] = {}
    for (kind, _), one in told.items():
        if kind in weak_links.rules():
            for thing in _things(one, truth):
                by_thing.setdefault((kind, thing), []).append(one)
    pairs = [pair for some in by_thing.values() for pair in combinations(some, 2)]
    missed = [pair for pair in pairs if frozenset((pair[0]["id"], pair[1]["id"])) not in proposed]
    why = Counter(f"{one['resourceType']} {_why_not(one, other)}" for one, other in missed)
    yield f"meant as one and still two: {len(pairs)}, not proposed: {len(missed)}: {_counted(why)}"


def _why_not(one: Resource, other: Resource) -> str:
    if {one["status"], other["status"]} & weak_links.rules()[one["resourceType"]].unless:
        return "not done by one account"
    return "of other times, units or codes"


def _things(resource: Resource, truth: Mapping[str, str]) -> set[str]:
    return {truth[one["value"]] for one in resource.get("identifier", ()) if one.get("value") in truth}


def _code(gap: Resource) -> str:
    return str(gap["code"]["coding"][0]["code"])


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _shown(number: int, judged: Judged) -> Iterator[str]:
    """What a judge needs: both as they are agreed now, side by side."""
    yield ""
    yield f"{number}. {judged.link.resource_type}, {judged.link.reason}"
    one, other = _facts(judged.one), _facts(judged.other)
    for name in one:
        yield f"   {name:12} {one[name]:58} | {other[name]}"


def _facts(stored: Stored) -> dict[str, str]:
    resource, rule = stored.resource(), weak_links.rules()[stored.resource_type]
    return {
        "told by": " ".join(stored.contributors),
        "person": str((resource.get("for") or resource["subject"])["identifier"]["value"]),
        "numbers": " ".join(one["value"] for one in resource["identifier"])[:58],
        "status": resource["status"],
        "unit": " ".join(_text(value) for path in rule.unit for value in weak_links.at(resource, path)),
        "code": " ".join(_text(value) for path in rule.code for value in weak_links.at(resource, path)),
        "time": " ".join(f"{path} {_text(value)}" for path in rule.time for value in weak_links.at(resource, path))[
            :90
        ],
        "text": str(resource.get("description", resource.get("title", "")))[:58],
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        if "identifier" in value:
            return str(value["identifier"]["value"])
        if "coding" in value:
            return " ".join(one["code"] for one in value["coding"])
        if "start" in value:
            return f"{value['start'][:16]}–{value.get('end', '')[:16]}"
        return str(value.get("code", value))
    return str(value)
