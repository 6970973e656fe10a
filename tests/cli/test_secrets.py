"""`samverka secrets`: which secrets there are, which are made anew, and that the namespace never is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import gateway
from gateway.access.rotating import SECRETS
from gateway.app import wire
from gateway.settings import Settings
from tests.cli.conftest import Run

ROTATING = [one.name for one in SECRETS if one.rotates]


@pytest.fixture
def kept(samverka: Run, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads the secrets that a database of either kind holds."""
    monkeypatch.setenv("SAMVERKA_DATABASE_URL", database_url)

    def read() -> dict[str, bytes]:
        wired = wire(Settings(database_url=database_url))
        wired.store.secret("forms")  # It is made for the first page.
        found = wired.store.read(lambda uow: {one.name: uow.meta.get(f"secret:{one.name}") for one in SECRETS})
        wired.close()
        return {name: value for name, value in found.items() if value}

    return read


def test_every_secret_of_the_program_is_in_the_list() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(gateway.__file__).parent.rglob("*.py"))
    assert {*re.findall(r'\.secret\("([^"]+)"', code)} == {one.name for one in SECRETS}


def test_the_list_says_what_each_is_for_and_shows_none(samverka: Run, kept: Any) -> None:
    values = kept()
    told = samverka("secrets", "list", "--json")
    assert (told.code, {one["name"] for one in told.json}) == (0, set(values))
    assert [one["name"] for one in told.json if not one["rotates"]] == ["namespace"]
    shown = told.out + samverka("secrets", "list").out
    assert not [name for name, value in values.items() if value.hex() in shown]


def test_nothing_is_rotated_before_it_is_agreed_to(samverka: Run, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept()
    told = samverka("secrets", "rotate", *ROTATING, "--json")
    assert (told.code, [one["rotated"] for one in told.json]) == (0, [False] * len(ROTATING))
    monkeypatch.setattr("typer.confirm", lambda _: False)
    asked = samverka("secrets", "rotate", "page-links")
    assert (asked.code, "begin the search again" in asked.out, "anew" in asked.out) == (0, True, False)
    assert kept() == before


def test_what_is_rotated_is_another_and_the_rest_stays(samverka: Run, kept: Any) -> None:
    before = kept()
    told = samverka("secrets", "rotate", "page-links", "test-identities", "page-links", "--yes", "--json")
    assert told.code == 0
    assert [(one["name"], one["rotated"]) for one in told.json] == [("page-links", True), ("test-identities", True)]
    after = kept()
    assert {name for name in before if before[name] != after[name]} == {"page-links", "test-identities"}
    assert len(after["page-links"]) == len(before["page-links"])
    events = [one["subtype"][0]["code"] for one in samverka("audit", "list", "--json").json]
    assert sorted(one for one in events if one.startswith("secrets-rotate-")) == [
        "secrets-rotate-page-links",
        "secrets-rotate-test-identities",
    ]
    assert samverka("audit", "verify").code == 0


def test_an_old_token_holds_no_longer(samverka: Run, kept: Any) -> None:
    old = samverka("demo", "identities", "--json").json[0]["token"]
    samverka("secrets", "rotate", "test-identities", "--yes")
    assert samverka("demo", "identities", "--json").json[0]["token"] != old


@pytest.mark.parametrize(
    ("names", "told"),
    [(["namespace"], "never"), (["page-links", "namespace"], "never"), (["pagelinks"], "no secret of this name")],
)
def test_what_is_never_rotated_is_refused_with_all_that_was_asked(
    samverka: Run, kept: Any, names: list[str], told: str
) -> None:
    before = kept()
    ran = samverka("secrets", "rotate", *names, "--yes")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert told in ran.err
    assert kept() == before
