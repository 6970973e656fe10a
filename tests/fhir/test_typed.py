"""The typed face for Python."""

import subprocess
import sys

import pytest

from gateway.errors import Unprocessable
from gateway.fhir.typed import from_typed, model, to_typed

TASK = {"resourceType": "Task", "status": "requested", "intent": "order", "for": {"reference": "Patient/1"}}


def test_a_resource_becomes_its_model_and_comes_back() -> None:
    task = to_typed(TASK)
    assert task.for_fhir.reference == "Patient/1"
    assert from_typed(task) == TASK


def test_a_model_can_be_built_in_code() -> None:
    patient = model("Patient")(active=True)
    assert from_typed(patient) == {"resourceType": "Patient", "active": True}


def test_what_does_not_fit_is_named_by_place_without_its_value() -> None:
    with pytest.raises(Unprocessable) as refused:
        to_typed(TASK | {"executionPeriod": {"start": "secret"}})
    assert "executionPeriod.start" in refused.value.text
    assert "secret" not in refused.value.text
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("name", ["MedicinalProduct", "Nope", "../x"])
def test_a_type_without_model_is_a_lookup_error(name: str) -> None:
    with pytest.raises(LookupError):
        model(name)


def test_the_models_are_loaded_by_nobody_but_who_asks_for_them() -> None:
    code = (
        "import sys, gateway.fhir.check, gateway.fhir.json, gateway.fhir.bundle, gateway.fhir.typed;"
        "assert not any(name.startswith('fhir.resources') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
