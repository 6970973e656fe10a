"""Validation with what a test keeps: profiles, value sets, and resources that are referred to."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.definitions import load
from gateway.issues import Issue
from gateway.terminology import Terminology
from gateway.validation import Surroundings, Wanted, validate

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
Validate = Callable[..., list[Issue]]


@pytest.fixture(scope="session")
def validating() -> Validate:
    """Validate a resource with `kept` resources around it, against profiles."""

    def run(resource: Any, *kept: dict[str, Any], profiles: tuple[str, ...] = ()) -> list[Issue]:
        by_url = {(one["resourceType"], one["url"]): one for one in kept if "url" in one}
        by_id = {f"{one['resourceType']}/{one['id']}": one for one in kept if "id" in one}

        def find(kind: str, url: str) -> dict[str, Any] | None:
            return by_url.get((kind, url.partition("|")[0]))

        around = Surroundings(
            load(),
            Terminology(load(), find),
            NOW,
            lambda url: find("StructureDefinition", url),
            lambda text: deepcopy(by_id.get(text)),  # Read anew each time, as by a store.
            questionnaire=lambda url: find("Questionnaire", url),
        )
        return validate(resource, around, Wanted(profiles))

    return run
