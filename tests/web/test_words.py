"""How things are said: times, telephone and identity numbers, places in a source, and both languages alike."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway import web
from gateway.cli import answer
from gateway.records import Position
from gateway.web.record import label, place
from gateway.web.refusals import KNOWN
from gateway.web.render import identity_number, tel
from gateway.web.texts import PAGES, TEXTS, Language, language_of
from gateway.web.times import Times

SWEDEN = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
TEMPLATES = Path(web.__file__).parent / "templates"
PROGRAM = Path(web.__file__).parents[1]


@pytest.mark.parametrize(
    ("moment", "language", "said"),
    [
        (datetime(2026, 3, 12, 13, 30, tzinfo=UTC), "sv", "tors 12 mars 14:30"),
        (datetime(2026, 3, 12, 13, 30, tzinfo=UTC), "en", "Thu 12 March 14:30"),
        (datetime(2025, 9, 14, 22, 0, tzinfo=UTC), "sv", "mån 15 september 2025"),
        (datetime(2026, 3, 12, 23, 59, 59, tzinfo=SWEDEN), "sv", "tors 12 mars"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "sv", "sön 29 mars 03:00"),
    ],
)
def test_a_time_is_said_in_swedish_time_with_the_year_where_it_is_another(
    moment: datetime, language: Language, said: str
) -> None:
    assert Times(SWEDEN, language, NOW).short(moment) == said


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ((3, 4, 52), (3, 7, 20), "3 mars 04:52–07:20"),
        ((3, 4, 52), (5, 7, 20), "3 mars 04:52–5 mars 07:20"),
        ((3, 4, 52), (3, 4, 52), "3 mars 04:52"),
        ((3, 4, 52), None, "3 mars 04:52–"),
    ],
)
def test_a_span_names_the_day_once(start: tuple, end: tuple | None, said: str) -> None:
    first = datetime(2026, 3, *start, tzinfo=SWEDEN)
    last = datetime(2026, 3, *end, tzinfo=SWEDEN) if end else None
    assert Times(SWEDEN, "sv", NOW).span(first, last) == said


@pytest.mark.parametrize(
    ("written", "dialled"),
    [("0980-319 201", "+46980319201"), ("+46 31 390 06 07", "+46313900607"), ("112", "112"), ("1177", "1177")],
)
def test_a_telephone_number_is_dialled_from_anywhere(written: str, dialled: str) -> None:
    assert tel(written) == dialled


def test_an_identity_number_is_written_as_people_write_it() -> None:
    assert identity_number("194107142384") == "19410714-2384"
    assert identity_number("A1") == "A1"


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (Position("PID-3.1", 2, 14), "rad 2, tecken 14, PID-3.1"),
        (Position("row 7, column status"), "rad 7, kolumn status"),
        (Position("row 7"), "rad 7"),
        (None, ""),
    ],
)
def test_a_place_is_told_in_the_words_of_its_format(position: Position | None, said: str) -> None:
    assert place(position, "sv") == said


def test_an_element_is_called_by_its_finest_name() -> None:
    assert label("Encounter.period.start", "sv") == "Börjar"
    assert label("Task.owner.identifier.value", "en") == "Owner"
    assert label("Task.unheardOf", "sv") == ""


@pytest.mark.parametrize(
    ("chosen", "accept", "language"),
    [
        (None, "", "sv"),
        (None, "de,en;q=0.5", "en"),
        ("sv", "en", "sv"),
        ("de", "en-GB", "en"),
        (None, "nb-NO, fi", "sv"),
    ],
)
def test_the_language_is_the_chosen_one_then_the_browsers_then_swedish(
    chosen: str | None, accept: str, language: str
) -> None:
    assert language_of(chosen, accept) == language


def test_a_text_has_one_place() -> None:
    names = [name for page in PAGES for name in page]
    assert sorted(names) == sorted(set(names))


def test_every_text_that_a_template_asks_for_is_there_and_none_is_idle() -> None:
    templates = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    asked = set(re.findall(r'text\["([\w-]+)"\]', templates))
    families = tuple(re.findall(r'text\["([\w-]+-)" ~', templates))
    told = {"bad-request", "unavailable", "unforeseen", *KNOWN.values()}
    asked |= told | {f"{what}-help" for what in told}
    code = "".join(path.read_text() for part in ("access", "ingest", "web") for path in PROGRAM.glob(f"{part}/**/*.py"))
    rules = {*re.findall(r'rule="([\w-]+)"', code), "reason-missing", "report-missing"}
    asked |= TEXTS["sv"].keys() & {f"refused-{rule}" for rule in rules}
    in_the_terminal = set(re.findall(r'TEXT\["([\w-]+)"\]', inspect.getsource(answer)))
    assert asked | in_the_terminal <= TEXTS["sv"].keys()
    idle = {text for text in TEXTS["sv"].keys() - asked - in_the_terminal if not text.startswith(families)}
    assert not idle
