"""The demo's messages in random orders of arrival: the same agreed resources, whatever came first.

    python -m tests.campaigns.orders --rounds 200 --state var/orders.json

Every distinct message is delivered once, complete snapshots included, each order on a fresh database with one
namespace of ids. The resources are compared without version and time of recording. The state file says which seeds are
done; a run that was ended goes on after them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.adapters.media import media_type
from gateway.cli.demo import Story
from gateway.ingest.pipeline import Ingest
from gateway.ingest.rebuild import rebuild
from gateway.ingest.sources import read
from gateway.mapping import Packages
from gateway.store import Store, UnitOfWork

NAMESPACE = b"n" * 16
State = dict[str, Any]


class Demo:
    """The demo's messages, each once, with their sources and maps."""

    def __init__(self) -> None:
        story = Story.read()
        self.packages = Packages.load(story.folder.parent / "mappings")
        self.sources = read(story.folder / "sources.toml", self.packages.ids)
        first: dict[Path, tuple[datetime, str]] = {}
        for received, source, path in story.messages:
            first.setdefault(path, (received, source))
        self.messages = [(received, source, path) for path, (received, source) in first.items()]
        self.messages.sort(key=lambda message: message[0])

    def agreed(self, order: list[int]) -> State:
        """What is agreed when the messages arrive in this order, by reference."""
        with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/orders.db") as store:
            store.write(lambda uow: uow.meta.put("secret:namespace", NAMESPACE))
            now = [self.messages[0][0]]
            ingest = Ingest(store, self.packages, self.sources, lambda: now[0])
            for place, number in enumerate(order):
                now[0] = self.messages[place][0]  # received later each time, whatever it is
                _, source, path = self.messages[number]
                kept = ingest.keep(self.sources.get(source), path.read_bytes(), media_type(path))
                ingest.process(kept)
            assert rebuild(store, ingest.recorder, lambda *_: None).different == []
            return store.read(_resources)

    def shuffled(self, seed: int) -> list[int]:
        order = list(range(len(self.messages)))
        random.Random(seed).shuffle(order)
        return order


def _resources(uow: UnitOfWork) -> State:
    found: State = {}
    for stored in uow.resources.all():
        if not stored.deleted:
            resource = stored.resource()
            for name in ("versionId", "lastUpdated"):
                resource.get("meta", {}).pop(name, None)
            found[f"{stored.resource_type}/{stored.id}"] = (resource, stored.person, stored.contributors)
    return found


def differences(one: State, other: State) -> list[str]:
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--state", type=Path, default=Path("var/orders.json"))
    given = parser.parse_args()
    demo = Demo()
    expected = demo.agreed(list(range(len(demo.messages))))
    done: dict[str, list[str]] = json.loads(given.state.read_text()) if given.state.exists() else {}
    for seed in range(given.rounds):
        if str(seed) not in done:
            done[str(seed)] = differences(expected, demo.agreed(demo.shuffled(seed)))
            given.state.parent.mkdir(parents=True, exist_ok=True)
            given.state.write_text(json.dumps(done))
            print(f"order {seed}: {len(done[str(seed)])} resources differ", flush=True)
    wrong = {seed: found for seed, found in done.items() if found}
    print(f"{len(demo.messages)} messages, {len(expected)} resources, {len(done)} orders, {len(wrong)} that differ")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
