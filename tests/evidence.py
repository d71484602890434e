"""`make evidence`: what `docs/SECURITY.md` promises, with what was done to it and what was found.

The table there names for each promise the tests and the parts of the soak that show it; they are
run here, and every number is one that they noted (`figure` in `conftest.py`, `Found` in the soak).
A promise holds when none of its tests or parts failed, something was done, and of what there must
be none there was none. `FULL=1` runs the soak in full (`SOAK_SCALE` says otherwise), many more
examples and orders, and `make mutate`: an hour or more in the place of minutes.

Written as `evidence.json` and `evidence.md` into the instance folder, to be handed over.
`python -m tests.evidence P3 P8` tries these alone, and only prints them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.settings import ROOT, Settings
from tests.soak.__main__ import PARTS

PAGE = ROOT / "docs" / "SECURITY.md"
ROW = re.compile(r"^\| (P\d+) \| (.+?) \| (.+?) \|", re.MULTILINE)
COMMAND = re.compile(
    r"`make (test|soak|fuzz|hostile|mutate)(?: (?:TESTS|PARTS)=(\"[^\"]+\"|[^`]+))?`"
)
FILES = {
    "fuzz": "tests/fuzz_test.py", "hostile": "tests/workers_test.py", "mutate": "tests/mutate.py",
}  # fmt: skip
NOTED = re.compile(r"(P\d+) (done|wrong)")
SHORT, FULL = "0.02", "1"
TEST, SOAK, HOW = "tests", "checks of the soak", ("passed", "failed", "skipped")
# What the whole of it needs beside the soak, where the environment does not say otherwise.
LONG = {"FUZZ_EXAMPLES": "100", "HOSTILE_ROUNDS": "10", "QUEUE_ORDERS": "720"}
WIDTHS = (4, 26, 46, 34, 5, 5)
HEAD = ("", "promise", "what was done", "what was found", "holds", "s")


@dataclass
class Promise:
    """A promise, what shows it, and what that noted."""

    number: str
    title: str
    tests: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def shown_by(self, test: str) -> bool:
        """Whether a test (`tests/x_test.py::test_y[z]`) is one of those that the table names."""
        return any(test.partition("[")[0].startswith((one, f"{one}::")) for one in self.tests)

    def note(self, kind: str, what: str, number: int) -> None:
        counts = self.done if kind == "done" else self.wrong
        counts[what] += number

    @property
    def holds(self) -> bool:
        return bool(self.done.total() and not self.failures and not self.wrong.total())

    def row(self) -> dict[str, Any]:
        return {
            "promise": self.number,
            "title": self.title,
            "done": dict(self.done),
            "wrong": dict(self.wrong),
            "outcomes": dict(self.outcomes),
            "failures": self.failures,
            "holds": self.holds,
            "seconds": round(self.seconds, 1),
        }

    def cells(self) -> tuple[str, ...]:
        ran = ", ".join(
            f"{self.outcomes[f'{kind} passed']} of {number} {kind} passed"
            for kind, number in (
                (kind, sum(self.outcomes[f"{kind} {how}"] for how in HOW)) for kind in (TEST, SOAK)
            )
            if number
        )
        failures = (textwrap.shorten(one, 160) for one in self.failures)
        found = [counted(self.wrong), ran, *failures]
        return (
            self.number,
            self.title,
            counted(self.done),
            "; ".join(one for one in found if one),
            "yes" if self.holds else "NO",
            f"{self.seconds:.0f}",
        )


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in counts.items())


def promises(page: str) -> list[Promise]:
    """What the table of the page says, in its order; raises `ValueError` for an empty row."""
    found = []
    for number, title, commands in ROW.findall(page):
        made = Promise(number, title)
        for kind, given in COMMAND.findall(commands):
            names = shlex.split(given.strip('"'))
            if kind == "test":
                made.tests += names
            elif kind == "soak":
                made.parts += names
            else:
                made.tests.append(FILES[kind])
        if not made.tests and not made.parts:
            raise ValueError(f"{PAGE.name} names nothing that shows {number}")
        found.append(made)
    return found


def take_report(found: Sequence[Promise], report: Path) -> None:
    """Give each promise what its tests did, as their report in the form of JUnit says."""
    for case in ET.parse(report).iter("testcase"):
        path = case.get("classname", "").replace(".", "/") + ".py"
        test, bad = f"{path}::{case.get('name')}", case.find("failure")
        bad = case.find("error") if bad is None else bad
        kind = "failed" if bad is not None else "passed"
        if case.find("skipped") is not None:
            kind = "skipped"
        for promise in found:
            if not promise.shown_by(test):
                continue
            promise.outcomes[f"{TEST} {kind}"] += 1
            promise.seconds += float(case.get("time") or 0)
            if bad is not None:
                promise.failures.append(f"{test}: {(bad.get('message') or '')[:300]}")
        for one in case.iter("property"):
            noted = NOTED.fullmatch(one.get("name", ""))
            number, _, what = (one.get("value") or "").partition(" ")
            for promise in found:
                if noted and promise.number == noted[1] and promise.shown_by(test):
                    promise.note(noted[2], what, int(number))


def take_soak(found: Sequence[Promise], report: Sequence[Mapping[str, Any]]) -> None:
    """Give each promise what the parts of the soak found; one that broke down is its part's."""
    for one in report:
        for promise in found:
            if one["part"] not in promise.parts or one["promise"] not in ("", promise.number):
                continue
            promise.outcomes[f"{SOAK} {'passed' if one['good'] else 'failed'}"] += 1
            promise.seconds += one["seconds"]
            for kind in ("done", "wrong"):
                for what, number in one[kind].items():
                    promise.note(kind, what, number)
            if not one["good"]:
                promise.failures.append(f"{one['line']} {one['why']}"[:500])


def run_tests(found: Sequence[Promise], folder: Path, environment: Mapping[str, str]) -> int:
    chosen = sorted({test for promise in found for test in promise.tests})
    if not chosen:
        return 0
    report = folder / "tests.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", str((os.cpu_count() or 1) + 1), "--maxprocesses",
         "5", "--dist", "loadfile", "--no-loadscope-reorder", "-o", "junit_family=xunit1",
         f"--junitxml={report}", *chosen],
        cwd=ROOT, env=dict(environment), check=False,
    )  # fmt: skip
    if report.exists():
        take_report(found, report)
    return done.returncode


def run_soak(found: Sequence[Promise], folder: Path, environment: Mapping[str, str]) -> int:
    named = {part for promise in found for part in promise.parts}
    parts = [part for part in PARTS if part in named]
    if not parts:
        return 0
    report = folder / "soak.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *parts],
        cwd=ROOT, env={**environment, "SOAK_REPORT": str(report)}, check=False,
    )  # fmt: skip
    if report.exists():
        take_soak(found, json.loads(report.read_text()))
    return done.returncode


def table(found: Sequence[Promise]) -> str:
    """The promises as a table of text, its cells wrapped."""
    lines = []
    for cells in (HEAD, *(one.cells() for one in found)):
        wrapped = [
            textwrap.wrap(cell, width, break_long_words=True) or [""]
            for cell, width in zip(cells, WIDTHS, strict=True)
        ]
        for number in range(max(map(len, wrapped))):
            parts = [one[number] if number < len(one) else "" for one in wrapped]
            line = "  ".join(part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True))
            lines.append(line.rstrip())
        lines.append("")
    return "\n".join(lines)


def markdown(found: Sequence[Promise], about: Mapping[str, Any]) -> str:
    """The same to be handed over."""
    lines = [
        "# Evidence of what Tháp Canh promises",
        "",
        ", ".join(f"{name}: {value}" for name, value in about.items()),
        "",
        "| # | " + " | ".join(HEAD[1:]) + " |",
        "|---" * len(HEAD) + "|",
        *(
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
            for row in (one.cells() for one in found)
        ),
    ]
    return "\n".join(lines) + "\n"


def keep(found: Sequence[Promise], about: Mapping[str, Any], folder: Path) -> None:
    """Write the table down, for people and for programs."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {**about, "promises": [one.row() for one in found]}
    (folder / "evidence.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    (folder / "evidence.md").write_text(markdown(found, about))


def commit() -> str:
    """What was tried: the commit of the checkout, and whether it was changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def main(numbers: Sequence[str]) -> int:
    """Run what is named, or all, and print the table; 1 where a promise does not hold."""
    full = os.environ.get("FULL", "") not in ("", "0")
    scale = os.environ.get("SOAK_SCALE") or (FULL if full else SHORT)
    environment = {**(LONG if full else {}), **os.environ, "SOAK_SCALE": scale}
    found = promises(PAGE.read_text(encoding="utf-8"))
    known = [one.number for one in found]
    if unknown := [one for one in numbers if one not in known]:
        print(f"There is no promise {unknown[0]!r}: {', '.join(known)}", file=sys.stderr)
        return 2
    found = [one for one in found if not numbers or one.number in numbers]
    if not full:
        for promise in found:
            promise.tests = [one for one in promise.tests if one != FILES["mutate"]]
    begun = time.monotonic()
    about: dict[str, Any] = {
        "made at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": commit(),
        "scale of the soak": scale,
        "whole": "yes" if full else "no (FULL=1)",
        "processors": os.cpu_count(),
    }
    with tempfile.TemporaryDirectory(prefix="thap-canh-evidence-") as folder:
        codes = [run(found, Path(folder), environment) for run in (run_tests, run_soak)]
    about["seconds"] = round(time.monotonic() - begun)
    if not numbers:
        keep(found, about, Settings.from_environment().instance)
    print(table(found))
    broken = [one.number for one in found if not one.holds]
    print(
        f"{len(found) - len(broken)} of {len(found)} promises hold"
        + (f"; NOT: {', '.join(broken)}" if broken else "")
        + f" ({about['seconds']} s)"
    )
    return 1 if broken or any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
