"""`make evidence` reads the table of the page and what ran, and calls nothing held that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import ROOT
from tests import evidence
from tests.evidence import PAGE, Promise
from tests.soak.__main__ import PARTS

REPORT = """<testsuites><testsuite>
<testcase classname="tests.core.x_test" name="test_a[1]" time="1.5"><properties>
<property name="P8 done" value="7 entries"/><property name="P8 wrong" value="{wrong} not found"/>
<property name="P9 done" value="3 rows"/></properties>{end}</testcase>
<testcase classname="tests.core.x_test" name="test_a[2]" time="0.5"><properties>
<property name="P8 done" value="2 entries"/></properties></testcase>
<testcase classname="tests.core.x_testing" name="test_a" time="9"><failure message="x"/></testcase>
</testsuite></testsuites>"""


def of_page() -> list[Promise]:
    return evidence.promises(PAGE.read_text(encoding="utf-8"))


def test_the_page_names_what_there_is_for_each_promise() -> None:
    found = of_page()
    assert [one.number for one in found] == [f"P{n}" for n in (*range(1, 11), 12, 13)]
    for promise in found:
        for test in promise.tests:
            path, _, name = test.partition("::")
            assert (ROOT / path).is_file(), test
            assert f"def {name}" in (ROOT / path).read_text(encoding="utf-8"), test
        assert set(promise.parts) <= set(PARTS), promise.number
    with pytest.raises(ValueError, match="P1"):
        evidence.promises("| P1 | Nothing shows it | by hand | nothing |")


@pytest.mark.parametrize(
    ("wrong", "end", "holds"),
    [
        (0, "", True),
        (1, "", False),
        (0, '<failure message="no"/>', False),
        (0, '<error message="no"/>', False),
    ],
)
def test_figures_are_those_that_were_noted(
    tmp_path: Path, wrong: int, end: str, holds: bool
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(wrong=wrong, end=end))
    eight = Promise("P8", "…", tests=["tests/core/x_test.py"])
    other = Promise("P9", "…", tests=["tests/core/y_test.py"])
    evidence.take_report([eight, other], report)
    assert (eight.done, eight.wrong["not found"]) == ({"entries": 9}, wrong)
    assert (eight.outcomes.total(), eight.seconds, eight.holds) == (2, 2.0, holds)
    # What noted nothing, or did not run, shows nothing.
    assert not other.done and not other.holds


def test_parts_of_the_soak_count_for_their_promise(tmp_path: Path) -> None:
    one = Promise("P1", "…", parts=["submissions"])
    found = {"part": "submissions", "promise": "P1", "line": "40 …", "good": True, "why": "",
             "seconds": 2.0, "done": {"sends": 40}, "wrong": {"lost": 0}}  # fmt: skip
    evidence.take_soak([one], [found, {**found, "promise": "P7", "done": {"answers": 9}}])
    assert (one.done, one.wrong, one.holds) == ({"sends": 40}, {"lost": 0}, True)
    assert "40 sends" in evidence.table([one]) and "0 lost" in evidence.markdown([one], {})
    evidence.take_soak([one], [{**found, "promise": "", "good": False, "line": "broke down"}])
    assert not one.holds and one.failures == ["broke down "]
