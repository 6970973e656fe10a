"""What a campaign has done so far, in a JSON file that is replaced as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class State:
    """A dictionary that lives in a file. Without a file it lives as long as the process."""

    def __init__(self, file: Path | None, **begin: Any) -> None:
        """`begin` says what campaign this is; a file of another one is refused."""
        self._file = file
        self.said: dict[str, Any] = dict(begin)
        if file is not None and file.exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            other = {name: found.get(name) for name in begin if found.get(name) != begin[name]}
            if other:
                raise SystemExit(f"{file} is the state of another campaign: {other}, not {begin}")
            self.said = found

    def save(self) -> None:
        if self._file is not None:
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(self.said, ensure_ascii=False), encoding="utf-8")
            new.replace(self._file)
