"""The same answer in a terminal."""

from __future__ import annotations

import io
from datetime import datetime

from rich.console import Console

from gateway.cli.answer import print_answer
from tests.web.conftest import AFTER_THE_ALARM, ASKING, PROTECTED, Site


def printed(site: Site, patient: str, at: str | None = None) -> str:
    out = io.StringIO()
    moment = datetime.fromisoformat(f"{at}+01:00") if at else None
    print_answer(site.gateway.door, ASKING, patient, Console(file=out, width=140), at=moment)
    return " ".join(out.getvalue().split())


def test_the_terminal_says_what_the_page_says(site: Site) -> None:
    said = printed(site, site.astrid)
    assert "Astrid Testberg 19410714-2384" in said
    for title in ("Ansvarig nu", "Härnäst", "Fattas (", "Inväntas", "Underlag"):
        assert title in said
    assert "Hemsjukvården Tanum 0980-319 201" in said
    assert "Ska agera: " in said


def test_the_terminal_goes_back_in_time(site: Site) -> None:
    said = printed(site, site.astrid, AFTER_THE_ALARM)
    assert "Så som det var 3 mars 2026 05:10" in said
    assert "IVPA-uppdrag pågår sedan 3 mars 04:5" in said


def test_the_terminal_does_not_name_a_protected_person(site: Site) -> None:
    hidden = site.gateway.door.find_person(ASKING, PROTECTED)
    assert hidden is not None
    said = printed(site, hidden)
    assert "Skyddad uppgift" in said
    assert "Not To Be Shown" not in said
