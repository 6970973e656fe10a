"""Where a reference points."""

import pytest

from gateway.fhir.reference import Target, parse


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("#x", Target("contained", "#x", fragment="x")),
        ("Patient/1", Target("relative", "Patient/1", type="Patient", id="1")),
        (
            "Patient/1/_history/2",
            Target("relative", "Patient/1/_history/2", type="Patient", id="1", version="2"),
        ),
        (
            "https://here.example/fhir/Patient/1",
            Target("relative", "https://here.example/fhir/Patient/1", type="Patient", id="1"),
        ),
        (
            "https://there.example/fhir/Patient/1",
            Target(
                "absolute",
                "https://there.example/fhir/Patient/1",
                type="Patient",
                id="1",
                base="https://there.example/fhir",
            ),
        ),
        ("Patient?identifier=a|b", Target("conditional", "Patient?identifier=a|b", "Patient", query="identifier=a|b")),
        ("urn:uuid:3d3c", Target("urn", "urn:uuid:3d3c")),
        ("patient/1", Target("other", "patient/1")),
    ],
)
def test_a_reference_says_where_it_points(written: str, target: Target) -> None:
    assert parse(written, base="https://here.example/fhir/") == target
