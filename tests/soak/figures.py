"""What a part of the soak found: a line to print, and whether it is as promised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """`promise` names what `SECURITY.md` or an issue promises; `line` has the counts."""

    promise: str
    line: str
    good: bool
    why: str = ""

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'FAIL'} {self.promise:<4} {self.line}" + (
            "" if self.good or not self.why else f"\n         {self.why}"
        )
