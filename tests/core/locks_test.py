"""Every library is pinned with the hashes of its files, and a file with another hash is refused."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import zipfile

import pytest
from packaging.requirements import Requirement

from core.install.locks import LOCKS, ROOT, canonical, read

install = importlib.import_module("core.install.__main__")
HASH = "0" * 64


def test_the_locks_have_what_setup_cfg_asks_for():
    for extra, lock in LOCKS.items():
        pinned = {one.name: one.version for one in read(lock)}
        for line in install.requirements(extra):
            wanted = Requirement(line)
            assert str(wanted.specifier) == f"=={pinned.get(canonical(wanted.name))}", (
                f"{line}: run make lock"
            )


def test_the_tests_run_with_the_files_of_the_service():
    *served, tests = (read(lock) for lock in LOCKS.values())
    known = {one.name: one for one in tests}
    assert len(known) == len(tests), "one version of each"
    assert all(known[one.name] == one for lock in served for one in lock)


def test_every_library_that_others_bring_along_is_locked():
    for extra, lock in LOCKS.items():
        locked = {one.name: one.version for one in read(lock)}
        todo = [Requirement(line) for line in install.requirements(extra)]
        seen = set()
        while todo:
            wanted = todo.pop()
            if (key := (canonical(wanted.name), frozenset(wanted.extras))) in seen:
                continue
            seen.add(key)
            found = importlib.metadata.distribution(wanted.name)
            assert locked.get(key[0]) == found.version, f"{wanted.name}: run make lock"
            todo += [
                needed
                for needed in map(Requirement, found.requires or [])
                if needed.marker is None
                or any(needed.marker.evaluate({"extra": one}) for one in ("", *wanted.extras))
            ]


@pytest.mark.parametrize("line", [
    "tiny==1.0",
    f"tiny --hash=sha256:{HASH}",
    f"tiny>=1.0 --hash=sha256:{HASH}",
    f"tiny==1.0 --hash=md5:{HASH[:32]}",
    f"https://elsewhere.example/tiny-1.0.whl --hash=sha256:{HASH}",
    "--index-url https://elsewhere.example/simple",
])  # fmt: skip
def test_a_line_without_version_or_hash_is_no_lock(line, tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(f"# a comment\nfine==1.0 ; os_name == 'nt' \\\n    --hash=sha256:{HASH}\n")
    assert [(one.name, one.marker) for one in read(lock)] == [("fine", "os_name == 'nt'")]
    lock.write_text(f"{lock.read_text()}{line}\n")
    with pytest.raises(ValueError, match=re.escape(line)):
        read(lock)


@pytest.mark.parametrize("lock", ["package-lock.json", "core/install/browser/package-lock.json"])
def test_every_browser_package_has_a_hash_and_comes_from_the_registry_of_npm(lock):
    packages = json.loads((ROOT / lock).read_text())["packages"]
    assert len(packages) > 10
    for place, facts in packages.items():
        if not place:
            continue
        assert re.fullmatch(r"sha512-[\w+/]{86}==", facts["integrity"]), place
        # Without an address npm asks the registry that is set up.
        address = facts.get("resolved", "https://registry.npmjs.org/")
        assert address.startswith("https://registry.npmjs.org/"), place
        assert not facts.get("link"), place


@pytest.fixture
def pip(tmp_path):
    """The command that installs, for the files of one folder and into another."""
    (tmp_path / "files").mkdir()
    wheel = tmp_path / "files/tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        about = "tiny-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "tiny.py,,\n")

    def run(digest: str) -> None:
        lock = tmp_path / "lock.txt"
        lock.write_text(f"tiny==1.0 \\\n    --hash=sha256:{digest}\n")
        options = ["--no-index", "--find-links", tmp_path / "files", "--target", tmp_path / "in"]
        install.run("Installing", install.install_command(lock, *map(str, options)))

    return run, wheel, tmp_path / "in"


def test_a_file_with_another_hash_is_refused(pip):
    run, wheel, target = pip
    with pytest.raises(install.InstallError, match="DO NOT MATCH THE HASHES"):
        run(HASH)
    assert not target.exists()
    run(hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert (target / "tiny.py").exists()


def test_what_would_have_to_be_built_is_refused(pip):
    run, wheel, target = pip
    source = wheel.rename(wheel.with_name("tiny-1.0.zip"))
    with pytest.raises(install.InstallError, match="No matching distribution"):
        run(hashlib.sha256(source.read_bytes()).hexdigest())
    assert not target.exists()
