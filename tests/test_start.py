"""A start loads what the first answer needs, and leaves the rest until somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

LATER = ("cryptography", "graphql", "httpx", "jinja2", "joserfc", "psycopg")
"""Tokens and page links, GraphQL, asking other servers, pages, the other database."""


def test_the_program_is_loaded_without_what_a_first_answer_does_not_need() -> None:
    asked = f"import sys, gateway.cli; print(*(name for name in {LATER!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
