"""What operations on records and persons take and answer, one row a handler, beside the rows of `offers.py`.

https://spec.openapis.org/oas/v3.1.1.html#operation-object
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.rest.offers import READING, SHOWN, Answer, Offer

_FOUND: Final = Answer("A Bundle of what was found.", "searchset", ("X-Request-Id",))


def _posted(offer: Offer) -> Offer:
    return replace(
        offer,
        title=f"{offer.title}, by Parameters",
        body="parameters",
        refuses=(*offer.refuses, 413, 415),
        operation=None,
    )


def _both(name: str, offer: Offer) -> dict[str, Offer]:
    """By GET, and by POST."""
    return {name: offer, f"{name}_by_post": _posted(offer)}


_EVERYTHING: Final = Offer(
    "The records of all patients",
    "Everything that belongs to the patients that the caller may see, and what it refers to, in pages.",
    {200: _FOUND},
    takes=SHOWN,
    refuses=READING,
    operation="Patient-everything",
)

OPERATIONS: Final[Mapping[str, Offer]] = {
    **_both("patient_everything", _EVERYTHING),
    **_both(
        "patient_everything_instance",
        replace(
            _EVERYTHING,
            title="The record of a patient",
            about="Everything that belongs to a person, and what it refers to; in one Bundle, or in pages.",
            refuses=(*READING, 410),
        ),
    ),
    **_both(
        "encounter_everything",
        replace(
            _EVERYTHING,
            title="The record of an encounter",
            about="Everything that belongs to an encounter, and what it refers to; in one Bundle, or in pages.",
            refuses=(*READING, 410),
            operation="Encounter-everything",
        ),
    ),
}
"""By the handler's name."""
