"""What `make run` and `make test` install: what is missing, once, at the versions tried."""

from __future__ import annotations

import importlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from core.install.locks import LOCKS
from core.settings import ROOT

install = importlib.import_module("core.install.__main__")


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Steps of a checkout in a temporary folder; gives the list of what was made."""
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "STAMPS", tmp_path / "made-from.json")
    (tmp_path / "input").write_text("one")
    made: list[str] = []

    def step(make=None, present=None):
        install.step(
            "a step",
            [tmp_path / "input", "words"],
            make or (lambda: made.append((tmp_path / "input").read_text())),
            present=present,
        )

    return step, made, tmp_path


def test_a_step_is_done_once_for_its_inputs(steps):
    step, made, folder = steps
    step()
    step()
    assert made == ["one"]
    (folder / "input").write_text("two")
    step()
    assert made == ["one", "two"]


def test_a_step_whose_result_was_removed_is_done_again(steps):
    step, made, folder = steps
    result = folder / "result"
    result.touch()
    step(present=result)
    result.unlink()
    step(present=result)
    assert made == ["one", "one"]


def test_a_step_that_failed_is_done_again_even_for_old_inputs(steps):
    step, made, folder = steps
    step()
    (folder / "input").write_text("two")

    def fail():
        raise install.InstallError("no")

    with pytest.raises(install.InstallError):
        step(fail)
    (folder / "input").write_text("one")
    step()
    assert made == ["one", "one"]


def test_a_failing_program_is_named_with_what_it_said():
    with pytest.raises(install.InstallError) as raised:
        install.run("Trying", ["sh", "-c", "echo the reason is how we resolve things; exit 3"])
    assert "the reason" in str(raised.value)
    assert "Trying" in str(raised.value)
    assert "network" not in str(raised.value)


def test_a_machine_without_network_is_told_so():
    with pytest.raises(install.InstallError, match="connected to a network"):
        install.run("Trying", ["sh", "-c", "echo 'Temporary failure in name resolution'; exit 1"])


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment that holds nothing; gives the pip commands that were run for it."""
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "STAMPS", tmp_path / "made-from.json")
    commands: list[list[str]] = []
    monkeypatch.setattr(install, "run", lambda text, command: commands.append(command))
    return commands


def test_libraries_are_installed_once_for_their_lock_file(environment):
    install.make_libraries("")
    install.make_libraries("")
    install.make_libraries("test")
    assert [command[-1] for command in environment] == [LOCKS[""], LOCKS["test"]]
    assert all("--require-hashes" in command for command in environment)


def test_what_came_before_there_were_hashes_is_fetched_once_more(environment):
    install.stamp("libraries", "by version alone")
    install.make_libraries("")
    install.stamp("libraries by hash", "of another lock file")
    install.make_libraries("")
    assert ["--force-reinstall" in command for command in environment] == [True, False]


def test_a_library_that_is_not_locked_any_more_is_removed(environment, tmp_path):
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "~lask-1.dist-info").mkdir(parents=True)
    for name in ("Flask", "Left_over", "pip"):
        (site / f"{name}-1.dist-info").mkdir(parents=True)
        (site / f"{name}-1.dist-info/METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    install.make_libraries("")
    assert environment[-1][-3:] == ["uninstall", "--yes", "left-over"]


@pytest.fixture
def packages(tmp_path):
    """`packages.sh` on a machine without sudo, as a user who is not root."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "id", "dirname", "basename", "grep", "apt-get", "dpkg", "python3"):
        found = shutil.which(name, path="/usr/bin:/bin") or shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    # The folders of pytest are closed to the other user.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o077 == 0:
            folder.chmod(0o755)

    def run(*purposes: str, system: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "bash", "-s", *purposes],
            input=(ROOT / "core/install/packages.sh").read_text(),
            cwd="/",
            env={"PATH": str(programs), "SYSTEM_ROOT": str(system or "")},
            user=pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_without_the_right_to_install_the_missing_packages_are_named(packages, tmp_path):
    refused = packages("python", "database", system=tmp_path / "empty")
    assert refused.returncode == 1
    assert "packages are missing: tzdata postgresql-postgis\n" in refused.stderr
    assert "apt-get install --no-install-recommends tzdata postgresql-postgis" in refused.stderr


def test_a_server_without_postgis_is_not_enough(packages, tmp_path):
    system = tmp_path / "system"
    server = system / "usr/lib/postgresql/15/bin"
    server.mkdir(parents=True)
    (server / "initdb").touch()
    assert "missing: postgresql-postgis\n" in packages("database", system=system).stderr
    extension = system / "usr/share/postgresql/15/extension"
    extension.mkdir(parents=True)
    (extension / "postgis.control").touch()
    assert packages("database", system=system).returncode == 0


def test_each_missing_part_of_documents_is_named(packages, tmp_path):
    system = tmp_path / "system"
    libraries = system / "usr/lib/x86_64-linux-gnu"
    fonts = system / "usr/share/fonts/truetype/croscore"
    parts = {
        "libpangoft2-1.0-0": libraries / "libpangoft2-1.0.so.0",
        "libharfbuzz-subset0": libraries / "libharfbuzz-subset.so.0",
        "fonts-croscore": fonts / "Tinos-Regular.ttf",
    }
    for folder in (libraries, fonts):
        folder.mkdir(parents=True)
    while parts:
        assert f"missing: {' '.join(parts)}\n" in packages("documents", system=system).stderr
        parts.pop(next(iter(parts))).touch()
    assert packages("documents", system=system).returncode == 0


def test_every_start_asks_for_what_documents_need():
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "packages.sh" in line]
    assert len(lines) == 2
    assert all("documents" in line.split() for line in lines)


def test_nothing_is_missing_where_the_tests_run(packages):
    found = packages("python", "database", "documents")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
