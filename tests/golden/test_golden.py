"""Each golden history gives its answers, whatever the order in which its messages were worked through.

The long form, 100 orders of each: `scripts/campaign golden --rounds 100`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.explained import unexplained
from tests.golden.histories import History, ask, directory_of_units, histories, opened, tell, written
from tests.golden.orders import Orders

HISTORIES = histories()
OVER_REST = [one for one in HISTORIES if one.commands]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory_of_units(tmp_path_factory.mktemp("directory"))


@pytest.mark.parametrize("history", HISTORIES, ids=lambda one: one.name)
def test_a_history_gives_its_answers(history: History, directory: Path, tmp_path: Path) -> None:
    with opened(history, directory, tmp_path) as on:
        tell(on, history)
        for answer in history.answers:
            said = ask(on, history, answer.at, answer.known_at, answer.caller)
            assert written(said) == written(answer.told), f"{history.title}, {answer.at:%Y-%m-%d %H:%M}: {history.rule}"


@pytest.mark.parametrize("history", [*HISTORIES[:50:10], *OVER_REST[::2]], ids=lambda one: one.name)
def test_a_history_gives_the_same_answers_in_any_order(history: History, directory: Path, tmp_path: Path) -> None:
    orders = Orders(history, directory, tmp_path)
    assert [seed for seed in range(2) if orders.differ(seed)] == []


@pytest.mark.parametrize("history", [*HISTORIES[10:50:20], *OVER_REST[2::3]], ids=lambda one: one.name)
def test_each_value_of_each_resource_leads_to_where_it_comes_from(
    history: History, directory: Path, tmp_path: Path
) -> None:
    """All histories: `scripts/campaign explain`."""
    with opened(history, directory, tmp_path) as on:
        tell(on, history)
        on.clock.now = history.end
        assert list(unexplained(on)) == []


def test_there_are_at_least_fifty_histories_each_with_its_rule_and_its_test_person() -> None:
    assert len(HISTORIES) >= 50
    assert len({one.title for one in HISTORIES}) == len(HISTORIES)
    for one in HISTORIES:
        assert one.rule.endswith((".", ")."))
        assert one.answers
        assert one.person[8:11] in ("238", "239"), "Skatteverket has set these birth numbers aside for tests."
