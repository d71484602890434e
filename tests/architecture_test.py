"""What import-linter cannot see: the modules `app` and `wsgi`, and habits inside files."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import ROOT

PACKAGES = ("core", "areas", "accounts", "towers", "inspections", "maps")
# Where work is done on values and sessions: the doors commit, ask the clock and know the request.
INNER = ("rules", "models", "schemas", "queries", "services", "imports", "readers", "coordinates")


def imports(path: Path) -> set[str]:
    """The full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module or "")
    return names


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def inner_files() -> list[Path]:
    return [
        path
        for path in sources(*PACKAGES)
        if path.relative_to(ROOT).parts[0] != "core"
        and (path.stem in INNER or path.parent.name in INNER)
    ]


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Every call in a file as its line and its dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_the_files_are_found() -> None:
    assert len(sources(*PACKAGES)) > 80
    assert {
        ROOT / "towers" / "services" / "__init__.py",
        ROOT / "inspections" / "services" / "record.py",
    } <= set(inner_files())


def test_the_servers_entry_imports_the_application_and_core_only() -> None:
    assert roots(ROOT / "wsgi.py") <= {"app", "core", "gc", "__future__"}
    assert "app" in imports(ROOT / "wsgi.py")


def test_the_application_names_every_feature_and_nothing_unknown() -> None:
    named = roots(ROOT / "app.py")
    assert set(PACKAGES) <= named
    assert named <= {*PACKAGES, "__future__", "flask", "werkzeug"}


@pytest.mark.parametrize("path", sources(*PACKAGES, "migrations"), ids=str)
def test_nothing_imports_the_application_or_the_tests(path) -> None:
    # The process manager and the command `flask` load the application by its name only.
    assert not {"app", "wsgi", "tests"} & roots(path)


@pytest.mark.parametrize("path", [ROOT / "app.py", ROOT / "wsgi.py", *sources(*PACKAGES)], ids=str)
def test_folium_is_known_to_the_shell_alone(path) -> None:
    if (ROOT / "maps" / "render") not in path.parents:
        assert not {"folium", "branca"} & roots(path)


@pytest.mark.parametrize("path", sources("migrations/versions"), ids=str)
def test_a_migration_stands_alone(path) -> None:
    assert not set(PACKAGES) & roots(path)


@pytest.mark.parametrize("path", inner_files(), ids=str)
def test_inner_files_neither_commit_nor_ask_the_clock(path) -> None:
    forbidden = {
        "session.commit",
        "transaction",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "clock.now",
        "clock.today",
    }
    found = [(line, name) for line, name in calls(path) if name in forbidden]
    assert found == []
    assert "core.clock" not in imports(path)


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=str)
def test_no_file_is_named_after_nothing(path) -> None:
    for part in path.relative_to(ROOT).with_suffix("").parts:
        assert not {"util", "utils", "helpers", "common", "manager", "handler"} & {part}


def test_the_contracts_hold() -> None:
    """The corridor and the order inside the features, as `setup.cfg` has them."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
