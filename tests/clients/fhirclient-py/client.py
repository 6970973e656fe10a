"""fhirclient, the SMART client for Python, against the server at the address given."""

from __future__ import annotations

import sys
from typing import Any

from fhirclient import client
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirsearch import FHIRSearch
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException

SYSTEM = "http://client.example/fhirclient-py"
FHIR = "application/fhir+json"


def patient(value: str, family: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": value}],
        "name": [{"family": family, "given": ["Tolvan"]}],
    }


def main(base: str) -> None:
    server = client.FHIRClient(settings={"app_id": "samverka", "api_base": base}).server

    assert server.capabilityStatement.fhirVersion == "4.0.1"
    print("capabilities")

    made = Patient(Patient(patient("a", "Tolvansson")).create(server))
    assert made.id and made.meta.versionId
    read = Patient.read(made.id, server)
    assert read.name[0].family == "Tolvansson"
    read.gender = "female"
    assert Patient(read.update(server)).gender == "female"
    assert Patient.read(made.id, server).gender == "female"
    print("create, read, update")

    for number in range(5):
        Patient(patient(f"page-{number}", "Pagesson")).create(server)
    search = Patient.where({"family": "Pagesson", "identifier": f"{SYSTEM}|", "_count": "2", "_sort": "identifier"})
    assert isinstance(search, FHIRSearch)
    bundles = list(search.perform_iter(server))
    assert [len(one.entry or []) for one in bundles] == [2, 2, 1]
    found = [one.identifier[0].value for one in search.perform_resources_iter(server)]
    assert found == [f"page-{number}" for number in range(5)]
    print("search with paging")

    headers = {"content-type": FHIR, "accept": FHIR, "if-none-exist": f"identifier={SYSTEM}|once"}
    statuses = [
        server.session.post(f"{base}/Patient", json=patient("once", "Ensson"), headers=headers).status_code
        for _ in range(2)
    ]
    assert statuses == [201, 200]
    print("conditional create")

    bundle = Bundle(
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "fullUrl": "urn:uuid:11111111-1111-4111-8111-111111111111",
                    "resource": patient("transaction", "Transaktionsson"),
                    "request": {"method": "POST", "url": "Patient"},
                },
                {
                    "resource": {
                        "resourceType": "Task",
                        "status": "requested",
                        "intent": "order",
                        "for": {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"},
                    },
                    "request": {"method": "POST", "url": "Task"},
                },
            ],
        }
    )
    answer = Bundle(server.post_json("", bundle.as_json()).json())
    assert answer.type == "transaction-response"
    assert [one.response.status[:3] for one in answer.entry] == ["201", "201"]
    task = server.request_json(answer.entry[1].response.location)
    assert task["for"]["reference"].startswith("Patient/")
    print("transaction")

    operations = [{"op": "replace", "path": "/gender", "value": "male"}]
    patched = server.session.patch(
        f"{base}/Patient/{made.id}", json=operations, headers={"content-type": "application/json-patch+json"}
    )
    assert patched.status_code == 200, patched.text
    assert Patient.read(made.id, server).gender == "male"
    print("patch")

    history = Bundle(server.request_json(f"Patient/{made.id}/_history"))
    assert history.type == "history"
    assert [one.request.method for one in history.entry][-1] == "POST"
    assert [getattr(one.resource, "gender", None) for one in history.entry] == ["male", "female", None]
    print("history")

    Patient.read(made.id, server).delete()
    try:
        Patient.read(made.id, server)
    except FHIRNotFoundException:
        raise AssertionError("deleted is 410, not 404") from None
    except Exception as error:
        assert getattr(error, "response", None) is not None and error.response.status_code == 410, error
    else:
        raise AssertionError("what was deleted can be read")
    print("delete")


main(sys.argv[1])
