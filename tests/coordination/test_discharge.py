"""The law's days on discharge (2017:612): calendar days, Swedish time, with noon, and as the parties agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.coordination import agreements
from gateway.coordination.discharge import deadline

SWEDEN = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ("2026-03-13T09:00:00", "2026-03-16"),  # a Friday: the weekend counts
        ("2026-03-13T12:00:00", "2026-03-16"),
        ("2026-03-13T12:00:01", "2026-03-17"),
        ("2026-03-13T23:59:59", "2026-03-17"),
        ("2026-03-27T12:05:00", "2026-03-31"),  # over the night in which the clocks are set
        ("2026-12-30T08:00:00", "2027-01-02"),
    ],
)
def test_the_municipality_pays_from_the_third_day_or_the_fourth_after_noon(asked: str, until: str) -> None:
    """5 kap. 4 §."""
    moment = datetime.fromisoformat(asked).replace(tzinfo=SWEDEN)
    for role in ("municipal-care", "social-services"):
        assert deadline("discharge-ready", role, moment, agreements.agreement()) == until
    for role in ("open-care", "other"):
        assert deadline("discharge-ready", role, moment, agreements.agreement()) is None


def test_noon_is_noon_in_sweden_whatever_zone_the_time_is_told_in() -> None:
    moment = datetime.fromisoformat("2026-07-03T10:00:01+00:00")
    assert deadline("discharge-ready", "municipal-care", moment, agreements.agreement()) == "2026-07-07"


@pytest.mark.parametrize(
    ("code", "until"),
    [
        ("sip-call", "2026-03-16"),  # 4 kap. 3 §: three days after the notice, at whatever time it came
        ("information-transfer", "2026-03-13"),  # 3 kap. 2 §: the same day
        ("admission-notice", "2026-03-20"),  # 2 kap. 6 §: by the discharge the unit has planned
        ("appoint-contact", "2026-03-20"),  # 2 kap. 5 §
        ("greeting", None),
    ],
)
def test_the_other_days_of_the_law(code: str, until: str | None) -> None:
    moment = datetime(2026, 3, 13, 15, tzinfo=SWEDEN)
    assert deadline(code, "open-care", moment, agreements.agreement(), estimated="2026-03-20") == until


def test_what_region_and_municipality_have_agreed_goes_before_the_law() -> None:
    """4 kap. 5 §."""
    agreement = agreements.agreement()
    agreed = replace(agreement, liability=replace(agreement.liability, days=5, days_after_noon=5))
    moment = datetime(2026, 3, 13, 15, tzinfo=SWEDEN)
    assert deadline("discharge-ready", "municipal-care", moment, agreed) == "2026-03-18"
