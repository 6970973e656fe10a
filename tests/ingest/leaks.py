"""What must never be in an issue, a log line or an error answer: who the persons of the test messages are."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAMES = ("Tolvan", "Tolvansson", "Astrid", "Testberg", "Testbärg", "Test Person")
"""The persons' names in the messages of tests/ingest/messages and bench/generate.py."""
NUMBERS = re.compile(r"(?<![\w-])(?:18|19|20)?[0-9]{6}[-+]?[0-9]{4}(?![\w-])")
"""What could be a person's number, altered or not. Digits within ids are no persons."""


def leaks(text: str, names: Sequence[str] = NAMES) -> list[str]:
    """What of a text could tell who somebody is."""
    return [name for name in names if name in text] + NUMBERS.findall(text)
