"""Each golden history gives its answers, whatever the order in which its messages came."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.histories import History, ask, directory_of_units, histories, opened, tell, written

HISTORIES = histories()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory_of_units(tmp_path_factory.mktemp("directory"))


@pytest.mark.parametrize("history", HISTORIES, ids=lambda one: one.name)
def test_a_history_gives_its_answers(history: History, directory: Path, tmp_path: Path) -> None:
    with opened(history, directory, tmp_path) as (gateway, clock):
        tell(gateway, clock, history)
        for answer in history.answers:
            said = ask(gateway, clock, history, answer.at, answer.known_at)
            assert written(said) == written(answer.told), f"{history.title}, {answer.at:%Y-%m-%d %H:%M}: {history.rule}"
