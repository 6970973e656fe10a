"""The server and the model of the specification do not disagree: a short seeded form of `scripts/campaign model`."""

from __future__ import annotations

from tests.model.campaign import round_of, served


def test_no_answer_disagrees_with_the_model_of_the_specification() -> None:
    with served() as base:
        assert round_of(base, number=4, series=8, steps=40) > 200
