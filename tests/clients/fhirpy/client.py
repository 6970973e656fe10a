"""fhirpy, the asynchronous client for Python, against the server at the address given."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

SYSTEM = "http://client.example/fhirpy"


def patient(value: str, family: str) -> dict[str, Any]:
    return {"identifier": [{"system": SYSTEM, "value": value}], "name": [{"family": family, "given": ["Tolvan"]}]}


async def main(base: str) -> None:
    client = AsyncFHIRClient(base)

    assert (await client.execute("metadata", method="get"))["fhirVersion"] == "4.0.1"
    print("capabilities")

    made = client.resource("Patient", **patient("a", "Tolvansson"))
    await made.save()
    assert made.id
    read = await client.reference("Patient", made.id).to_resource()
    assert read.get_by_path(["name", 0, "family"]) == "Tolvansson"
    read["gender"] = "female"
    await read.save()
    assert (await client.get("Patient", made.id))["gender"] == "female"
    print("create, read, update")

    for number in range(5):
        await client.resource("Patient", **patient(f"page-{number}", "Pagesson")).save()
    search = client.resources("Patient").search(family="Pagesson", identifier=f"{SYSTEM}|").sort("identifier").limit(2)
    assert len(await search.fetch()) == 2
    found = [one["identifier"][0]["value"] for one in await search.fetch_all()]
    assert found == [f"page-{number}" for number in range(5)]
    # It counts with a parameter of another server, which is passed over for those who ask for it only.
    lenient = AsyncFHIRClient(base, extra_headers={"prefer": "handling=lenient"})
    assert await lenient.resources("Patient").search(family="Pagesson", identifier=f"{SYSTEM}|").count() == 5
    print("search with paging")

    # Its own get_or_create puts the condition into the address, where R4 has none: the header is R4's.
    careful = AsyncFHIRClient(base, extra_headers={"if-none-exist": f"identifier={SYSTEM}|once"})
    first = careful.resource("Patient", **patient("once", "Ensson"))
    again = careful.resource("Patient", **patient("once", "Ensson"))
    await first.save()
    await again.save()
    assert first.id == again.id
    print("conditional create")

    once = client.resources("Patient").search(identifier=f"{SYSTEM}|once")
    changed, _ = await once.update(client.resource("Patient", **patient("once", "Ensdotter")))
    assert (changed.id, changed["name"][0]["family"]) == (first.id, "Ensdotter")
    print("conditional update")

    uuid = "urn:uuid:11111111-1111-4111-8111-111111111111"
    bundle = client.resource(
        "Bundle",
        type="transaction",
        entry=[
            {
                "fullUrl": uuid,
                "resource": {"resourceType": "Patient", **patient("transaction", "Transaktionsson")},
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": {
                    "resourceType": "Task",
                    "status": "requested",
                    "intent": "order",
                    "for": {"reference": uuid},
                },
                "request": {"method": "POST", "url": "Task"},
            },
        ],
    )
    await bundle.save()
    assert bundle["type"] == "transaction-response"
    task = (await client.resources("Task").search(patient__identifier=f"{SYSTEM}|transaction").fetch_all())[0]
    assert (await task["for"].to_resource())["name"][0]["family"] == "Transaktionsson"
    print("transaction")

    # Its own patch is a merge patch, which R4 has not.
    operations: Any = [{"op": "replace", "path": "/gender", "value": "male"}]
    patching = AsyncFHIRClient(base, extra_headers={"content-type": "application/json-patch+json"})
    await patching.execute(f"Patient/{made.id}", method="patch", data=operations)
    assert (await client.get("Patient", made.id))["gender"] == "male"
    print("patch")

    history = await client.execute(f"Patient/{made.id}/_history", method="get")
    assert [one["resource"].get("gender") for one in history["entry"]] == ["male", "female", None]
    print("history")

    try:
        await client.resources("Patient").search(family="Pagesson").update(client.resource("Patient", gender="male"))
    except MultipleResourcesFound:
        print("several matches are told")
    else:
        raise AssertionError("several match")
    try:
        await client.resources("Patient").search(colour="red").fetch()
    except OperationOutcome as told:
        assert told.resource["issue"][0]["severity"] == "error"
        print("a refusal is told")
    else:
        raise AssertionError("there is no such parameter")

    await client.delete("Patient", made.id)
    try:
        await client.get("Patient", made.id)
    except ResourceNotFound:
        print("delete")
    else:
        raise AssertionError("what was deleted can be read")


asyncio.run(main(sys.argv[1]))
