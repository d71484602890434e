"""Known vulnerabilities of libraries: from databases of OSV that are files here, or asked online.

Their entries (https://ossf.github.io/osv-schema/) name packages, versions and ranges of these. What
cannot be told is said: nothing counts as safe because nobody could look.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from packaging.version import InvalidVersion, Version

from core.install.locks import canonical

# Ecosystem → name of a package as everything compares it.
NAMES: dict[str, Callable[[str], str]] = {"PyPI": canonical, "npm": str}
# Makes a version comparable; `None` for one that is none.
Order = Callable[[str], Any]
# Name → versions: npm may hold several of one package.
Held = Mapping[str, Collection[str]]


class NotChecked(Exception):
    """Nobody could look; the message says why."""


@dataclass(frozen=True)
class Advisory:
    """What is known of one library at its version."""

    library: str
    version: str
    ids: frozenset[str]
    summary: str
    fixed: frozenset[str] = frozenset()

    def __str__(self) -> str:
        names = " ".join(sorted(self.ids))
        mended = f"; fixed in {', '.join(sorted(self.fixed))}" if self.fixed else ""
        return f"{self.library} {self.version}: {names}: {self.summary}{mended}"


@dataclass
class Answer:
    """What one source said: of whom it knew nothing, and how new it is."""

    advisories: list[Advisory] = field(default_factory=list)
    not_checked: dict[str, str] = field(default_factory=dict)
    """Library → why."""
    source: str = ""


# From files.


def from_files(folder: Path, ecosystem: str, held: Held) -> Answer:
    """Look libraries up in `folder/ECOSYSTEM/all.zip`, as OSV gives it out.

    Raises `NotChecked` where there is no such file, or nothing in it.
    """
    archive = folder / ecosystem / "all.zip"
    answer, newest, count = Answer(), "", 0
    for entry in entries(archive):
        parts = [
            part for part in entry.get("affected", [])
            if part.get("package", {}).get("ecosystem", "").partition(":")[0] == ecosystem
        ]  # fmt: skip
        if not parts:
            continue
        count += 1
        newest = max(newest, str(entry.get("modified", "")))
        if "withdrawn" not in entry:
            answer.advisories += concerned(entry, parts, ecosystem, held)
    if not count:
        raise NotChecked(f"{archive} holds no advisory for {ecosystem}")
    answer.advisories = merged(answer.advisories)
    answer.source = f"{archive}, {count} advisories, the newest of {newest[:10]}"
    return answer


def entries(archive: Path) -> Iterator[dict[str, Any]]:
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if name.endswith(".json"):
                    yield orjson.loads(opened.read(name))
    except (OSError, zipfile.BadZipFile, orjson.JSONDecodeError) as error:
        raise NotChecked(f"{archive} cannot be read: {error}") from error


def concerned(
    entry: Mapping[str, Any], parts: Iterable[Mapping[str, Any]], ecosystem: str, held: Held
) -> Iterator[Advisory]:
    """The libraries that one entry is about, at the versions that are here."""
    order, name_of = ORDERS[ecosystem], NAMES[ecosystem]
    for part in parts:
        name = name_of(part["package"]["name"])
        for version in held.get(name, ()):
            told = is_affected(part, version, order)
            if told is False:
                continue
            summary = entry.get("summary") or " ".join(entry.get("details", "").split())[:150]
            yield Advisory(
                name,
                version,
                frozenset({entry["id"], *entry.get("aliases", [])}),
                summary if told else f"its versions cannot be compared, read it: {summary}",
                frozenset(
                    event["fixed"]
                    for one in ranges_of(part)
                    for event in one["events"]
                    if "fixed" in event
                ),
            )


def ranges_of(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Ranges of versions; those of commits say nothing about a version."""
    return [one for one in part.get("ranges", []) if one["type"] != "GIT"]


def is_affected(part: Mapping[str, Any], version: str, order: Order) -> bool | None:
    """Whether an `affected` of OSV means a version; `None` where that cannot be told."""
    here = order(version)
    listed = part.get("versions", [])
    if version in listed or (here is not None and any(order(one) == here for one in listed)):
        return True
    answers = [is_within(one["events"], here, order) for one in ranges_of(part)]
    if True in answers:
        return True
    return None if None in answers or not (answers or listed) else False


def is_within(events: Iterable[Mapping[str, str]], here: Any, order: Order) -> bool | None:
    """Whether the events of a range, in the order of versions, leave a version inside."""

    def point(at: str) -> tuple[Any, ...]:
        # `0` is before every version and `*` behind; neither has to be one.
        return (-1,) if at == "0" else (1,) if at == "*" else (0, order(at))

    turns = [(point(at), what) for event in events for what, at in event.items()]
    if here is None or any(at == (0, None) for at, _ in turns):
        return None
    # Without a beginning it began with the first version; where it ends and begins it goes on.
    inside, place = all(what != "introduced" for _, what in turns), (0, here)
    for at, what in sorted(turns, key=lambda turn: (turn[0], turn[1] == "introduced")):
        if what == "introduced":
            inside = inside or place >= at
        elif place > at or (place == at and what != "last_affected"):
            inside = False
    return inside


def merged(advisories: Iterable[Advisory]) -> list[Advisory]:
    """One for each vulnerability: databases tell the same under names of their own."""
    kept: list[Advisory] = []
    for one in advisories:
        same = [k for k in kept if (k.library, k.version) == (one.library, one.version)
                and k.ids & one.ids]  # fmt: skip
        kept = [k for k in kept if k not in same]
        kept.append(
            Advisory(
                one.library,
                one.version,
                one.ids.union(*(k.ids for k in same)),
                (same or [one])[0].summary,
                one.fixed.union(*(k.fixed for k in same)),
            )
        )
    return sorted(kept, key=lambda one: (one.library, sorted(one.ids)))


# What comes before what.


def python_order(version: str) -> Version | None:
    """PEP 440."""
    try:
        return Version(version)
    except InvalidVersion:
        return None


def npm_order(version: str) -> tuple[Any, ...] | None:
    """Semantic versions (https://semver.org, 11): numbers below words, a release behind its own."""
    found = _SEMANTIC.fullmatch(version)
    if found is None:
        return None
    *numbers, before = found.groups()
    parts = before.split(".") if before else []
    words = [(0, int(part)) if part.isdigit() else (1, part) for part in parts]
    return (*map(int, numbers), words or [(2, "")])


_SEMANTIC = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([\w.-]+))?(?:\+[\w.-]+)?", re.ASCII)
ORDERS: dict[str, Order] = {"PyPI": python_order, "npm": npm_order}


# Online.


def python_online(lock: Path, held: Held) -> Answer:
    """Ask PyPI, by pip-audit. Raises `NotChecked` where that cannot be done at all."""
    if importlib.util.find_spec("pip_audit") is None:
        raise NotChecked("pip-audit comes with the libraries of the tests (make install-test)")
    told = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes",
         "--disable-pip", "--progress-spinner", "off", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if not told.stdout:
        raise NotChecked(next(iter(told.stderr.splitlines()[-1:]), "no answer"))
    report = {canonical(one["name"]): one for one in json.loads(told.stdout)["dependencies"]}
    answer = Answer(source="pip-audit, pypi.org")
    for name, (version,) in held.items():
        one = report.get(name, {})
        if "vulns" not in one:
            answer.not_checked[name] = one.get("skip_reason", "pip-audit did not name it")
        for found in one.get("vulns", []):
            answer.advisories.append(
                Advisory(name, version, frozenset({found["id"], *found["aliases"]}),
                         found["description"][:150], frozenset(found["fix_versions"]))
            )  # fmt: skip
    answer.advisories = merged(answer.advisories)
    return answer


def npm_online(npm: Path, lock: Path, held: Held) -> Answer:
    """Ask npm's registry about a lock file. Raises `NotChecked` where that cannot be done."""
    told = subprocess.run(
        # npm would find nothing wrong, without a word, where it is set not to use the network.
        [npm, "audit", "--json", "--package-lock-only", "--offline=false"],
        cwd=lock.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(told.stdout or "{}")
    if "vulnerabilities" not in report:
        errors = [line for line in told.stderr.splitlines() if line.startswith("npm error")]
        raise NotChecked(report.get("message") or next(iter(errors), "no answer"))
    return Answer(
        merged(
            Advisory(one["dependency"], version, frozenset({one["url"].rpartition("/")[2]}),
                     one["title"])
            for vulnerable in report["vulnerabilities"].values()
            for one in vulnerable["via"]
            if isinstance(one, dict)
            for version in held[one["dependency"]]
        ),
        source="npm audit",
    )  # fmt: skip
