"""`python -m core.install.check [FOLDER]`: are the libraries as locked, allowed, without faults?

FOLDER holds the databases of OSV, `PyPI/all.zip` and `npm/all.zip`; without it pip-audit and npm
ask online. The exit code is 1 where something is wrong, 2 where nothing is but not all could be
looked at, else 0.
"""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import yaml

from core.install import advisories, installed, licences
from core.install.__main__ import VENV, stamps
from core.install.advisories import Answer, Held, NotChecked
from core.install.locks import LOCKS, ROOT, read

SITE = Path(sysconfig.get_path("purelib"))
NPM = VENV / "bin/npm"
BROWSER_LOCKS = {
    "": [ROOT / "package-lock.json"],
    "test": [ROOT / "package-lock.json", ROOT / "core/install/browser/package-lock.json"],
}
ACCEPTED = Path(__file__).with_name("advisories.yaml")
HOW = """\
Without a network, carry these two files in from a machine that has one:
    curl --create-dirs -o FOLDER/PyPI/all.zip https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip
    curl --create-dirs -o FOLDER/npm/all.zip https://osv-vulnerabilities.storage.googleapis.com/npm/all.zip
and look them up:
    make check-libraries ADVISORIES=FOLDER"""


def main(arguments: list[str]) -> int:
    """Look at everything, print it, return the exit code."""
    extra = "test" if stamps().get("test libraries by hash") else ""
    lock = LOCKS[extra]
    wrong = check_installed(lock) + check_licences(BROWSER_LOCKS[extra])
    unknown = 0
    for file in [lock, *BROWSER_LOCKS[extra]]:
        held = browser_held(file) if file in BROWSER_LOCKS[extra] else python_held(file)
        ask = partial(answer, file, held, Path(arguments[0]) if arguments else None)
        found, not_told = check_advisories(str(file.relative_to(ROOT)), held, ask)
        wrong += found
        unknown += not_told
    if unknown:
        print(HOW)
    return 1 if wrong else 2 if unknown else 0


def check_installed(lock: Path) -> int:
    """How many differences there are."""
    wrong = [
        *installed.differences(SITE, read(lock)),
        *installed.changed_files(SITE),
        *installed.browser_differences(NPM, ROOT),
    ]
    say("Installed", wrong, f"as {lock.name} and package-lock.json say, and no file was changed")
    return len(wrong)


def check_licences(browser_locks: Iterable[Path]) -> int:
    """How many libraries have a licence that is not allowed."""
    known = licences.load()
    found = {
        f"{name} {library.version}": licences.of_library(library, known)
        for name, library in installed.libraries(SITE).items()
    }
    for lock in browser_locks:
        found |= licences.of_browser_packages(lock)
    wrong = [
        f"{name} has the licence {said}"
        for name, said in found.items()
        if not licences.is_allowed(said, known.allowed)
    ]
    say("Licences", wrong, f"those of {len(found)} libraries are allowed")
    return len(wrong)


def answer(lock: Path, held: Held, folder: Path | None) -> Answer:
    """What is known of the libraries of a lock file: by the databases of a folder, or online."""
    python = lock in LOCKS.values()
    if folder:
        return advisories.from_files(folder, "PyPI" if python else "npm", held)
    return (
        advisories.python_online(lock, held) if python else advisories.npm_online(NPM, lock, held)
    )


def check_advisories(lock: str, held: Held, ask: Callable[[], Answer]) -> tuple[int, int]:
    """How many advisories there are, and about how many libraries nobody could tell."""
    what = f"Advisories, {lock}"
    try:
        told = ask()
    except NotChecked as error:
        told = Answer(not_checked=dict.fromkeys(held, str(error)))
    unknown = told.not_checked
    if unknown:
        why = next(iter(unknown.values()))
        print(f"{what}: NOT CHECKED, {len(unknown)} of {len(held)} libraries: {why}")
    looked_at = len(held) - len(unknown)
    accepted = yaml.safe_load(ACCEPTED.read_text(encoding="utf-8")).keys()
    wrong = [str(one) for one in told.advisories if not one.ids & accepted]
    passed = len(told.advisories) - len(wrong)
    if looked_at:
        but = f", but {passed} that was read and accepted" if passed else ""
        say(what, wrong, f"none, {looked_at} libraries looked up ({told.source}){but}")
    return len(wrong), len(unknown)


def python_held(lock: Path) -> Held:
    return {one.name: [one.version] for one in installed.needed(read(lock))}


def browser_held(lock: Path) -> Held:
    held: dict[str, set[str]] = {}
    for place, facts in json.loads(lock.read_text(encoding="utf-8"))["packages"].items():
        if place:
            held.setdefault(place.rpartition("node_modules/")[2], set()).add(facts["version"])
    return held


def say(what: str, wrong: Iterable[str], good: str) -> None:
    lines = list(wrong)
    print(f"{what}: {f'{len(lines)} WRONG' if lines else good}")
    for line in lines:
        print(f"    {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
