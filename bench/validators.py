"""Ours beside HL7's validator: `python -m bench.validators FOLDER…` says where they disagree, and by which word.

Each folder holds R4 resources as .json, or `broken.json`: a list of cases with `id`, `raw` and `expect` (ok or bad).
A file is refused where there is an error. What is printed is for a person to judge by the specification.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import official
from gateway.definitions import load
from gateway.errors import BadRequest
from gateway.fhir.json import parse
from gateway.terminology import Terminology
from gateway.validation import Surroundings, validate

MOST = 8
"""Files that are named of a class."""


def main(folders: list[Path]) -> None:
    files = [file for folder in folders for file in cases(folder)]
    theirs = official.refused(files)
    both, neither = 0, 0
    classes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in files:
        own, other = errors(file.read_bytes()), theirs[file]
        if bool(own) is bool(other):
            both, neither = both + bool(own), neither + (not own)
            continue
        who = "ours alone refuses" if own else "HL7's alone refuses"
        for word in own or {general(text) for text in other}:
            classes[who, word].add(file.stem)
    print(f"{len(files)} files: refused by both {both}, by neither {neither}\n")
    print("| who | word | files | such as |\n|---|---|---:|---|")
    for (who, word), named in sorted(classes.items(), key=lambda one: (one[0][0], -len(one[1]))):
        print(f"| {who} | {word.replace('|', ' ')} | {len(named)} | {', '.join(sorted(named)[:MOST])} |")


def cases(folder: Path) -> Iterator[Path]:
    """The files of a folder; those of a list of cases are written out."""
    if not (folder / "broken.json").exists():
        yield from sorted(folder.glob("*.json"))
        return
    out = official.BUILT / "cases"
    out.mkdir(parents=True, exist_ok=True)
    for case in json.loads((folder / "broken.json").read_text()):
        file = out / f"{case['expect']}-{re.sub('[^A-Za-z0-9-]', '_', case['id'])}.json"
        file.write_text(case["raw"])
        yield file


def errors(body: bytes) -> set[str]:
    """The rules that a body breaks."""
    d = load()
    try:
        issues = validate(parse(body), Surroundings(d, Terminology(d), datetime.now(UTC)))
    except BadRequest:
        return {"unreadable"}
    return {one.rule for one in issues if one.severity in ("fatal", "error")}


def general(text: str) -> str:
    """A message without what it quotes."""
    return re.sub(r"\([^()]*\)|'[^']*'|\b[A-Z]\w+/[\w.-]+|https?://\S+", "…", text)[:110]


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
