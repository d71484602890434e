"""What a part of the soak found: a line to print, and whether it is as promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Found:
    """`promise` names what `SECURITY.md` or an issue promises; `line` has the counts.

    Once more for programs: how much was `done`, and of what there must be none (`wrong`).
    """

    promise: str
    line: str
    good: bool
    why: str = ""
    done: Mapping[str, int] = field(default_factory=dict)
    wrong: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'FAIL'} {self.promise:<4} {self.line}" + (
            "" if self.good or not self.why else f"\n         {self.why}"
        )
