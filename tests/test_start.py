"""A start loads what the first answer needs, and leaves the rest until somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

LATER = ("cryptography", "fastapi", "gateway.web", "graphql", "httpx", "jinja2", "joserfc", "psycopg", "rich.progress")
"""Tokens and page links, the pages and their framework, GraphQL, asking others, the other database, progress bars."""


def loaded(asked: str, names: tuple[str, ...]) -> list[str]:
    """Which of the modules a process has loaded after some words of Python."""
    words = f"import sys; {asked}; print(*(name for name in {names!r} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", words], check=True, capture_output=True, text=True).stdout.split()


def test_the_server_is_loaded_without_what_a_first_answer_does_not_need() -> None:
    assert loaded("from gateway.cli import loaded; loaded('serve')", LATER) == []


def test_the_commands_are_listed_and_refused_without_a_gateway() -> None:
    assert loaded("import gateway.cli", ("fastapi", "gateway.app", "gateway.mapping", "lxml", "sqlalchemy")) == []
