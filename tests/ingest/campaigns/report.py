"""What a campaign shows: figures, and what was wrong (nothing, it is hoped)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
