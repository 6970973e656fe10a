"""What is served is what the OpenAPI document says: a short seeded form of `scripts/campaign schemathesis`."""

from __future__ import annotations

from tests.model.campaign import served
from tests.model.schemathesis_run import run

ONLY = "^(capabilities|read|vread|history-type|search-type|delete|create|update|health|ready)$"


def test_no_answer_disagrees_with_the_openapi_document() -> None:
    with served() as base:
        made, found = run(base, seed=1, examples=8, phases="examples,fuzzing", only=ONLY)
    assert not found, found
    assert made > 60
