"""A process that works through an inbox of its own making until it is killed, and says what is committed."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.records import Message
from gateway.store import Store
from tests.store.examples import statement, task

LEASE = timedelta(milliseconds=50)


def main(url: str, acknowledged: str) -> None:
    store = Store.open(url)
    file = os.open(Path(acknowledged), os.O_WRONLY | os.O_APPEND)

    def tell(what: str) -> None:
        os.write(file, f"{what}\n".encode())

    def receive() -> None:
        while True:
            id = str(uuid.uuid4())
            kept = Message(id, "maeva", b"x" * 1000, "text/plain", datetime.now(UTC))
            store.keep(kept)
            tell(f"kept:{id}")

    def work() -> None:
        owner = str(uuid.uuid4())
        while True:
            claimed = store.write(lambda unit: unit.inbox.claim_waiting(owner, lease=LEASE, limit=1))
            if not claimed:
                continue
            id = claimed[0].message.id

            def effect(unit, id=id) -> None:
                unit.lock([id])
                if unit.statements.add([statement(f"said-{id}", resource_type="Task", resource_id=id, person=id)]):
                    unit.resources.save([task(id, person=id)])
                    unit.audit.add([{"wrote": id}])
                unit.inbox.finish(id, owner)

            store.write(effect)
            tell(f"saved:{id}")

    def answer() -> None:
        while True:
            id = str(uuid.uuid4())
            store.record([({"answered": id}, None)], now=datetime.now(UTC))
            tell(f"recorded:{id}")

    for target in (receive, receive, work, work, answer, answer, answer):
        threading.Thread(target=target).start()
    store.number_changes()


if __name__ == "__main__":
    main(*sys.argv[1:])
