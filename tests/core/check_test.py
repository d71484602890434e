"""`make check-libraries` finds what was changed, added or left out, and licences not allowed."""

from __future__ import annotations

import base64
import email.message
import hashlib
import json
from types import SimpleNamespace

import pytest

from core.install import check, installed, licences
from core.install.advisories import Advisory, Answer, NotChecked
from core.install.locks import LOCKS, Locked, read

KNOWN = licences.load()


@pytest.fixture
def site(tmp_path):
    """An environment with one library of two files, installed as pip does."""
    folder = tmp_path / "lib/python3.11/site-packages"
    files = {
        "flask/__init__.py": b"VERSION = 3",
        "flask/static/a.js": b"",
        "../../../bin/flask": b"#!python",
        "Flask-3.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: Flask\nVersion: 3.0\n",
    }
    lines = ["flask/__pycache__/__init__.cpython-311.pyc,,", "Flask-3.0.dist-info/RECORD,,"]
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(content)}")
    (folder / "Flask-3.0.dist-info/RECORD").write_text("\n".join(lines))
    return folder


def locked(name, version, marker=""):
    return Locked(name, version, marker, ())


def test_what_is_as_it_was_installed_is_not_named(site):
    (site / "flask/__pycache__").mkdir()
    (site / "flask/__pycache__/__init__.cpython-311.pyc").write_text("compiled")
    needs = [locked("flask", "3.0"), locked("colorama", "1", "sys_platform == 'win32'")]
    assert [*installed.differences(site, needs), *installed.changed_files(site)] == []


@pytest.mark.parametrize("place", [
    "flask/__init__.py", "flask/static/a.js", "../../../bin/flask", "Flask-3.0.dist-info/METADATA",
])  # fmt: skip
def test_a_changed_file_is_named(site, place):
    with (site / place).open("a") as file:
        file.write(" ")
    (told,) = installed.changed_files(site)
    assert told == f"{(site / place).resolve()} was changed"
    (site / place).unlink()
    if not place.endswith("METADATA"):
        (told,) = installed.changed_files(site)
        assert told.endswith("cannot be read: No such file or directory")


@pytest.mark.parametrize("place", ["planted.pth", "sitecustomize.py", "flask/more.py"])
def test_a_file_that_no_library_brought_is_named(site, place):
    (site / place).write_text("import os")
    assert list(installed.changed_files(site)) == [f"{site / place} belongs to no library"]


def test_libraries_that_differ_from_the_lock_are_named(site):
    assert list(installed.differences(site, [locked("flask", "3.1"), locked("werkzeug", "2")])) == [
        "flask 3.0 is installed, 3.1 is locked",
        "werkzeug 2 is missing",
    ]
    assert list(installed.differences(site, [])) == ["flask 3.0 is installed and not locked"]


def test_packages_of_npm_that_are_missing_are_named(tmp_path):
    assert list(installed.browser_differences(check.NPM, check.ROOT)) == []
    wanted = {"name": "here", "version": "1.0.0", "dependencies": {"leaflet": "1.9.4"}}
    (tmp_path / "package.json").write_text(json.dumps(wanted))
    (told,) = installed.browser_differences(check.NPM, tmp_path)
    assert told == "missing: leaflet@1.9.4, required by here@1.0.0"


@pytest.mark.parametrize(("expression", "fits"), [
    ("MIT", True),
    ("GPL-2.0-only", False),
    (licences.UNKNOWN, False),
    ("GPL-2.0-only OR MIT", True),
    ("MIT AND GPL-2.0-only", False),
    ("MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)", True),
    ("(GPL-2.0-only AND MIT) OR (GPL-2.0-only OR ISC)", True),
    ("MIT OR GPL-2.0-only AND GPL-2.0-only", True),
    ("Apache-2.0 WITH LLVM-exception", False),
])  # fmt: skip
def test_an_expression_is_allowed_if_a_choice_of_allowed_licences_is_left(expression, fits):
    assert licences.is_allowed(expression, KNOWN.allowed) is fits


@pytest.mark.parametrize(("said", "expression"), [
    ([("License-Expression", "MIT"), ("License", "proprietary")], "MIT"),
    ([("License", "bsd-3-clause")], "BSD-3-Clause"),
    ([("License", "BSD 2-Clause License"),
      ("Classifier", "License :: OSI Approved :: BSD License")], "BSD-2-Clause"),
    ([("License", "Copyright 2010\n\n Redistribution …"),
      ("Classifier", "License :: OSI Approved"),
      ("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
    ([("License", "Ask us")], licences.UNKNOWN),
    ([], licences.UNKNOWN),
])  # fmt: skip
def test_metadata_of_every_age_says_a_licence(said, expression):
    metadata = email.message.Message()
    for key, value in [("Name", "Some_Library"), *said]:
        metadata[key] = value
    assert licences.of_library(SimpleNamespace(metadata=metadata), KNOWN) == expression


def test_every_library_here_has_an_allowed_licence(capsys):
    assert check.check_licences(check.BROWSER_LOCKS["test"]) == 0, capsys.readouterr().out


def test_nothing_is_called_good_that_nobody_could_look_at(capsys):
    held = {"flask": ["3.0"], "numpy": ["2.0"]}

    def silent():
        raise NotChecked("405 Method Not Allowed")

    assert check.check_advisories("npm", held, silent) == (0, 2)
    half = Answer(not_checked={"numpy": "not found"}, source="PyPI")
    assert check.check_advisories("Python", held, lambda: half) == (0, 1)
    said = capsys.readouterr().out
    assert "npm: NOT CHECKED, 2 of 2 libraries: 405 Method Not Allowed" in said
    assert "Python: NOT CHECKED, 1 of 2 libraries: not found" in said
    assert "Python: none, 1 libraries looked up (PyPI)" in said


@pytest.mark.parametrize(("wrong", "told", "code"), [
    (0, Answer(), 0),
    (0, Answer([Advisory("flask", "3.1.3", frozenset({"CVE-1"}), "Bad")]), 1),
    (0, Answer(not_checked={"flask": "nobody answers"}), 2),
    (1, Answer(not_checked={"flask": "nobody answers"}), 1),
])  # fmt: skip
def test_the_exit_code_tells_wrong_from_not_looked_at(monkeypatch, capsys, wrong, told, code):
    monkeypatch.setattr(check, "check_installed", lambda lock: wrong)
    monkeypatch.setattr(check, "answer", lambda lock, held, folder: told)
    assert check.main([]) == code
    assert ("make check-libraries ADVISORIES=" in capsys.readouterr().out) is bool(told.not_checked)


def test_an_advisory_counts_until_somebody_read_and_accepted_it(capsys, tmp_path, monkeypatch):
    answer = Answer([Advisory("flask", "3.0", frozenset({"CVE-1", "GHSA-1"}), "Bad")])
    monkeypatch.setattr(check, "ACCEPTED", tmp_path / "advisories.yaml")
    check.ACCEPTED.write_text("{}")
    assert check.check_advisories("Python", {"flask": ["3.0"]}, lambda: answer) == (1, 0)
    check.ACCEPTED.write_text("GHSA-1: never called here")
    assert check.check_advisories("Python", {"flask": ["3.0"]}, lambda: answer) == (0, 0)
    assert "1 that was read and accepted" in capsys.readouterr().out


def test_what_is_installed_here_is_what_is_locked():
    assert list(installed.differences(check.SITE, read(LOCKS["test"]))) == []
