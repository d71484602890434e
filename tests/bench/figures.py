"""One line of the table: what was measured, what it should be, whether it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A measured value; `name` begins with the letter of the issue that asks for it.

    At most one of `most` and `least` is the goal. Without one the figure is only reported.
    """

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def goal(self) -> str:
        if self.most is not None:
            return f"≤ {shown(self.most)}"
        return f"≥ {shown(self.least)}" if self.least is not None else ""

    @property
    def holds(self) -> bool | None:
        if self.most is not None:
            return self.value <= self.most
        return self.value >= self.least if self.least is not None else None

    def row(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "goal": self.goal,
            "unit": self.unit,
            "holds": self.holds,
        }


def shown(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table of text."""
    lines = [("name", "value", "goal", "unit", "holds")]
    for one in figures:
        held = {True: "yes", False: "NO", None: ""}[one.holds]
        lines.append((one.name, shown(one.value), one.goal, one.unit, held))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        "  ".join(
            (
                line[0].ljust(widths[0]),
                line[1].rjust(widths[1]),
                line[2].ljust(widths[2]),
                line[3].ljust(widths[3]),
                line[4],
            )
        ).rstrip()
        for line in lines
    )


def keep(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as a list; those of an earlier run that were not measured now stay."""
    measured = {one.name: one.row() for one in figures}
    before = json.loads(path.read_text()) if path.exists() else []
    rows = [measured.pop(row["name"], row) for row in before] + list(measured.values())
    rows.sort(key=lambda row: row["name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


def quickest(within: float, *actions: Callable[[], Any]) -> list[float]:
    """The least seconds of each action, done in turns for some seconds, ten times at least.

    Other work on the machine can only add to a time, so the least is nearest to the work itself.
    """
    seconds: list[list[float]] = [[] for _ in actions]
    end = perf_counter() + within
    while perf_counter() < end or len(seconds[0]) < 10:
        for place, action in enumerate(actions):
            started = perf_counter()
            action()
            seconds[place].append(perf_counter() - started)
    return [min(one) for one in seconds]
