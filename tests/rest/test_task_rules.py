"""Every write of a Task over REST is held to the rules, by whatever interaction it comes (coordination.md B.1, B.2)."""

from __future__ import annotations

import httpx

from tests.rest.parties import HOME_CARE, WARD, Party, created, moved, person, put, read, reason, refusal, task


def test_what_was_allowed_is_what_is_served_next(shared: httpx.Client, party: Party) -> None:
    ward, home_care = party(WARD), party(HOME_CARE)
    one = created(ward, task(person(shared)))
    assert read(home_care, one)["status"] == "requested"

    moved(home_care, one, "accepted")
    moved(home_care, one, "in-progress")
    moved(home_care, one, "on-hold", statusReason=reason())
    moved(home_care, one, "in-progress", statusReason=None)
    moved(home_care, one, "on-hold", statusReason=reason())
    moved(home_care, one, "in-progress", statusReason=None)
    last = moved(home_care, one, "completed", output=[{"type": {"text": "Rapport"}, "valueString": "Gjort"}])

    assert "statusReason" not in last


def test_c2_a_move_that_nobody_may_make_names_what_is_allowed_in_both_languages(
    shared: httpx.Client, party: Party
) -> None:
    one = created(party(WARD), task(person(shared)))

    told = refusal(put(party(HOME_CARE), one, status="on-hold", statusReason=reason()), 422)

    assert (told["code"], told["requirement"], told["path"]) == ("business-rule", "C-2", "Task.status")
    for word in ("requested", "on-hold", "owner", "accepted", "rejected"):
        assert word in told["en"], told["en"]
    assert "requested" in told["sv"] and "accepted" in told["sv"], told["sv"]


def test_c2_a_move_of_another_role_is_forbidden(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))

    told = refusal(put(party(WARD), one, status="accepted"), 403)

    assert (told["code"], told["requirement"]) == ("forbidden", "C-2")
    assert "owner" in told["en"]
