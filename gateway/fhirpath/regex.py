"""Regular expressions that cannot be made to run for ever.

https://hl7.org/fhirpath/N1/#matchesregex-string-boolean
"""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.fhirpath.errors import EvaluationError

MAX_PATTERN = 1000


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    if len(pattern) > MAX_PATTERN:
        raise EvaluationError("The regular expression is too long.", f"At most {MAX_PATTERN} characters.")
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as problem:
        raise EvaluationError("This is not a regular expression.", str(problem)) from None


def search(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


def fullmatch(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


def replace(pattern: str, text: str, substitution: str) -> str:
    # FHIRPath names a group $1, Python \1.
    template = re.sub(r"\$(\d+)", r"\\g<\1>", substitution.replace("\\", "\\\\"))
    return _compiled(pattern).sub(template, text)
