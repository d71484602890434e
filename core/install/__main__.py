"""`python3 -m core.install [test]`: the virtual environment, assets and translations.

`python3 -m core.install chromium` prints the browser that tests drive;
`python3 -m core.install lock [NAME]` writes the lock files anew, with the newest NAME (or `all`).

Every step keeps a digest of what it was made from, so that a second call does nothing.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from core.install.locks import LOCKS, ROOT, SEEDS, canonical, read

VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
STAMPS = VENV / "made-from.json"
# There is no wheel of it; it is built here, by the setuptools of the lock.
SOURCE_ONLY = "flask-principal"
BROWSER = VENV / "browser"
DIST = ROOT / "core/static/dist"
# npm by itself waits more than a minute before it says that there is no network.
IMPATIENT = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
OFFLINE = re.compile(
    r"name resolution|getaddrinfo|ENOTFOUND|EAI_AGAIN|ENETUNREACH|ETIMEDOUT|ECONNREFUSED"
    r"|Network is unreachable|NewConnectionError|ConnectTimeout|Connection refused",
    re.IGNORECASE,
)


class InstallError(RuntimeError):
    """A step failed; the message says which and what its program said."""


def main(arguments: list[str]) -> int:
    """Make what is missing or out of date; returns the exit code."""
    if arguments == ["chromium"]:
        print(browser() or "")
        return 0
    try:
        # Two starts at once take turns; the kernel frees the claim of one that was killed.
        with (ROOT / "Makefile").open() as claim:
            fcntl.flock(claim, fcntl.LOCK_EX)
            make_environment()
            if arguments[:1] == ["lock"]:
                lock(*arguments[1:])
                return 0
            for extra in ("build", "", "test") if "test" in arguments else ("build", ""):
                make_libraries(extra)
            make_assets()
            make_translations()
            if "test" in arguments:
                make_browser()
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the next start goes on from here.", file=sys.stderr)
        return 130
    return 0


# The steps.


def make_environment() -> None:
    """`.venv` for this checkout's place and this machine's Python."""
    fits = [str(ROOT), ".".join(map(str, sys.version_info[:2]))]
    if stamps().get("environment") == digest(fits) and PYTHON.exists():
        return
    if not environment_works():
        creator = getattr(sys, "_base_executable", sys.executable)
        run("Making the Python environment", [creator, "-m", "venv", "--clear", VENV])
    stamp("environment", digest(fits))


def environment_works() -> bool:
    """Whether `.venv` can be used as it is: not moved here, its Python not replaced."""
    pip = VENV / "bin/pip"
    if not (PYTHON.exists() and pip.exists() and str(PYTHON).encode() in pip.read_bytes()[:4096]):
        return False
    asked = subprocess.run(
        [PYTHON, "-c", "import sys, pip; print(sys.version_info >= (3, 11))"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() == "True"


def requirements(extra: str) -> list[str]:
    """What setup.cfg asks for: the service's libraries, or those of an extra."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = (
        setup["options.extras_require"][extra] if extra else setup["options"]["install_requires"]
    )
    return [line.strip() for line in lines.splitlines() if line.strip()]


def make_libraries(extra: str) -> None:
    """What a lock file names and no library besides; pip refuses a file with another hash."""
    before = f"{extra} libraries".strip()
    # What came by its version alone, before there were hashes, is fetched once more.
    again = ["--force-reinstall"] if stamps().get(before) else []

    def make() -> None:
        run(f"Installing the {extra or 'Python'} libraries", install_command(LOCKS[extra], *again))
        if gone := leftovers():
            run(f"Removing what is not needed any more: {', '.join(gone)}",
                [PYTHON, "-m", "pip", "uninstall", "--yes", *gone])  # fmt: skip
        if again:
            stamp(before, "")

    step(f"{before} by hash", [LOCKS[extra]], make)


def install_command(lock: Path, *options: str) -> list[str | Path]:
    """Nothing without a hash, nothing built but by what came with one."""
    return [
        PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
        "--require-hashes", "--only-binary", ":all:", "--no-binary", SOURCE_ONLY,
        "--no-build-isolation", "--use-pep517", *options, "--requirement", lock,
    ]  # fmt: skip


def leftovers() -> list[str]:
    """Installed libraries that no lock file names."""
    locked = {one.name for lock in LOCKS.values() for one in read(lock)}
    places = [str(place) for place in VENV.glob("lib/python*/site-packages")]
    found = importlib.metadata.distributions(path=places)
    # What an interrupted pip left has no name.
    names = {canonical(one.name) for one in found if one.name}
    return sorted(names - locked - SEEDS)


def lock(upgrade: str = "") -> None:
    """Write the lock files from setup.cfg; versions stay, but of a library to `upgrade`, or all.

    One version of each, for every system and each Python from the oldest that setup.cfg allows.
    """
    newer = {"": [], "all": ["--upgrade"]}.get(upgrade, ["--upgrade-package", upgrade])
    asked: list[str] = []
    same: list[str | Path] = []
    for extra, file in LOCKS.items():
        asked += requirements(extra)
        with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
            wanted.write("\n".join(asked))
            wanted.flush()
            run(f"Writing {file.relative_to(ROOT)}",
                [VENV / "bin/uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes",
                 "--python", PYTHON, "--python-version", "3.11", "--fork-strategy", "fewest",
                 "--no-build-isolation", "--no-annotate", "--custom-compile-command", "make lock",
                 *newer, *same, "--output-file", file, wanted.name])  # fmt: skip
        same = ["--constraint", file]


def make_assets() -> None:
    """Browser packages by the lock file, then our bundles of them."""
    lock = [ROOT / "package.json", ROOT / "package-lock.json"]
    step(
        "browser packages",
        lock,
        lambda: run(
            "Installing the browser packages",
            [VENV / "bin/npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", *IMPATIENT],
        ),
        present=ROOT / "node_modules",
    )
    step(
        "bundles",
        [*lock, *ROOT.glob("*/assets/**/*")],
        lambda: run(
            "Bundling scripts and styles", [VENV / "bin/node", ROOT / "core/assets/build.mjs"]
        ),
        present=DIST / "icons.svg",
    )


def make_translations() -> None:
    """Catalogues for the server, and the texts of scripts for the browser."""
    sources = sorted((ROOT / "translations").glob("*/LC_MESSAGES/*.po"))
    for source in sources:
        step(
            f"translation {source.relative_to(ROOT)}",
            [source],
            partial(
                run,
                "Compiling translations",
                [PYTHON, "-m", "babel.messages.frontend", "compile",
                 "-i", source, "-o", source.with_suffix(".mo")],
            ),
            present=source.with_suffix(".mo"),
        )  # fmt: skip
    if (ROOT / "core/assets/texts.py").exists():
        # The bundles' step empties the folder into which these go.
        step(
            "texts of scripts",
            [*sources, *ROOT.glob("*/assets/**/*"), ROOT / "core/assets/texts.py"],
            lambda: run("Writing the texts of scripts", [PYTHON, "-m", "core.assets.texts"]),
            present=DIST / "texts.vi.json",
        )


def browser() -> str | None:
    """The Chromium that browser tests drive, or `None`; the one of npm where no other works."""
    named = ["chromium-headless-shell", "chromium", "google-chrome", "google-chrome-stable"]
    for name in [os.environ.get("CHROMIUM"), *named, str(BROWSER / "chromium")]:
        path = shutil.which(name) if name else None
        if path is None:
            continue
        # Ubuntu's chromium only says that a snap is needed.
        asked = subprocess.run([path, "--version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return path
    return None


def make_browser() -> None:
    """Have a Chromium: Debian's package, a Chrome, or the one of npm."""
    if browser() is not None:
        return
    BROWSER.mkdir(exist_ok=True)
    for source in (ROOT / "core/install/browser").iterdir():
        shutil.copy(source, BROWSER / source.name)
    run(
        "Installing a Chromium for the tests",
        [VENV / "bin/npm", "--prefix", BROWSER, "ci", "--ignore-scripts", "--no-audit", *IMPATIENT],
    )
    run("Unpacking the Chromium", [VENV / "bin/node", BROWSER / "unpack.mjs"])
    if browser() is None:
        raise InstallError(
            "No Chromium works here. Install one and name it: make test CHROMIUM=/path/to/chromium"
        )


# How a step is run, once.


def step(
    name: str,
    inputs: Iterable[Path | str],
    make: Callable[[], None],
    *,
    present: Path | None = None,
) -> None:
    """Call `make` unless it was called for the same inputs before and its result is `present`."""
    wanted = digest(inputs)
    if stamps().get(name) == wanted and (present is None or present.exists()):
        return
    stamp(name, "")
    make()
    stamp(name, wanted)


def digest(inputs: Iterable[Path | str]) -> str:
    made = hashlib.sha256()
    for part in sorted(inputs, key=str):
        if isinstance(part, Path):
            if not part.is_file() or "__pycache__" in part.parts:
                continue
            made.update(f"{part.relative_to(ROOT)}\0".encode(errors="surrogateescape"))
            made.update(hashlib.sha256(part.read_bytes()).digest())
        else:
            made.update(f"{part}\0".encode(errors="surrogateescape"))
    return made.hexdigest()


def stamps() -> dict[str, str]:
    try:
        return json.loads(STAMPS.read_text())
    except (OSError, ValueError):
        return {}


def stamp(name: str, value: str) -> None:
    """Keep a step's digest; the file is whole at any time."""
    unfinished = STAMPS.with_suffix(".partial")
    unfinished.write_text(json.dumps({**stamps(), name: value}, indent=1))
    unfinished.replace(STAMPS)


def run(text: str, command: Sequence[str | Path]) -> None:
    """Run a program quietly, saying every few seconds that it goes on.

    Raises `InstallError` with the end of what it wrote.
    """
    print(f"{text} …", flush=True)
    environment = {**os.environ, "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    # A Python environment that happens to be active is not the one that is made here.
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET"):
        environment.pop(name, None)
    with tempfile.NamedTemporaryFile() as output:
        started = time.monotonic()
        program = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while True:
            try:
                code = program.wait(timeout=5)
                break
            except subprocess.TimeoutExpired:
                last = last_lines(Path(output.name), 1).strip()[:70]
                print(f"  … {time.monotonic() - started:.0f} s  {last}", flush=True)
            except BaseException:
                program.terminate()
                program.wait()
                raise
        if code == 0:
            return
        said = last_lines(Path(output.name), 15)
        offline = OFFLINE.search(Path(output.name).read_text(errors="replace"))
    hint = (
        "\nThe package servers do not answer: is this machine connected to a network?"
        if offline
        else ""
    )
    raise InstallError(f"{said}\n{text}: this did not work (exit code {code}).{hint}")


def last_lines(path: Path, count: int) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
