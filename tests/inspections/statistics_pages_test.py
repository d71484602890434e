"""The statistics as a page, JSON, drawings and files: the same numbers everywhere."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from xml.etree import ElementTree

import openpyxl
import pytest
from sqlalchemy import select

from core import clock, store
from core.audit import AuditEntry
from core.db import database
from core.policy import SYSTEM
from inspections.rules.statistics import Period, Ratio, usual_period, weeks_from
from tests import makers
from tests.bench.lists import captured
from tests.inspections.statistics_test import day, inspected, violation
from tests.inspections.visits import published

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def eleven(session):
    """Eleven towers of one owner in one commune, ten of them inspected; three violations are open,
    one of them critical and overdue."""
    version, inspector = published(session), makers.user(session, "inspector")
    commune = makers.commune(session, code="90001", name="Xã Bắc")
    owner = makers.organisation(session, "Chủ A")
    today = clock.today()
    towers = [makers.tower(session, commune=commune, owner=owner) for _ in range(11)]
    for tower in towers[:10]:
        inspected(session, tower, version, inspector, today - timedelta(days=30))
    late = today - timedelta(days=3)
    violation(session, towers[0], version, late, severity="critical", deadline=late)
    for tower in towers[1:3]:
        violation(session, tower, version, late, deadline=today)
    violation(session, towers[3], version, late, today)
    session.commit()
    return owner


def test_the_api_says_parts_and_wholes(eleven, sign_in) -> None:
    body = sign_in("staff").get("/api/v1/statistics").get_json()
    now = body["whole"]["now"]
    assert now["inspected"] == {"part": 10, "whole": 11, "value": pytest.approx(1000 / 11)}
    assert now["critical"] == {"part": 1, "whole": 11, "value": pytest.approx(100 / 11)}
    # Three are too few for a percentage.
    assert now["overdue"] == {"part": 1, "whole": 3, "value": None}
    assert now["closure"] == {"days": 3.0, "closed": 1}
    assert (now["unchecked"]["part"], now["reasons"]["never"]) == (1, 1)
    assert sum(now["conditions"].values()) == now["towers"] == 11
    assert [(one["key"], one["name"]) for one in body["groups"]] == [("90001", "Xã Bắc")]
    assert body["least"] == 10
    assert set(body["definitions"]) >= {"inspected", "critical", "overdue", "unchecked", "closure"}
    assert sum(month["found"] for month in body["months"]) == 4
    assert body["due"][0] == {
        "monday": None,
        "when": "overdue",
        "tasks": {"critical": 1, "assessment": 0, "major": 0, "minor": 0},
    }


def test_the_least_whole_of_a_percentage_is_a_setting(eleven, session, sign_in) -> None:
    store.set_value(session, "statistics_least", 3, by=SYSTEM, now=clock.now())
    session.commit()
    now = sign_in("staff").get("/api/v1/statistics").get_json()["whole"]["now"]
    assert now["overdue"]["value"] == pytest.approx(100 / 3)


def test_the_page_says_each_denominator_and_definition(eleven, sign_in) -> None:
    page = sign_in("staff").get("/statistics?lang=en").get_data(as_text=True)
    assert "90.9 %" in page
    assert "10 of 11" in page
    assert "1 of 3" in page
    assert "too few for a percentage" in page
    for place in (1, 2, 3, 4, 5, 6, 8, 9):
        assert f">[{place}]</a>" in page
    assert page.count('role="img"') == 3
    assert "The numbers as a table" in page


@pytest.mark.parametrize("by", ["commune", "owner", "structure_type"])
def test_files_have_the_numbers_of_the_page(eleven, session, sign_in, by) -> None:
    client = sign_in("staff")
    answer = client.get(f"/statistics.csv?by={by}&plain=1&lang=en")
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    whole, group = rows
    for row in rows:
        assert (row["Towers"], row["Inspected within the interval"]) == ("11", "10")
        assert row["Inspected within the interval (%)"] == "90.9"
        assert row["Open critical violations (per 100 towers)"] == "9.1"
        assert (row["Overdue violations"], row["Overdue violations (%)"]) == ("1", "")
        assert row["Days to closure (median)"] == "3"
        assert row["Towers – period before"] == "11"
    name = {"commune": "Commune", "owner": "Owner", "structure_type": "Structure type"}[by]
    assert whole[name] == "All towers"
    assert (
        group[name]
        == {
            "commune": "Xã Bắc",
            "owner": "Chủ A",
            "structure_type": "Self-supporting lattice tower",
        }[by]
    )
    answer = client.get(f"/statistics.xlsx?by={by}&lang=en")
    book = openpyxl.load_workbook(io.BytesIO(answer.data))
    sheet = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
    assert sheet[0] == list(whole)
    assert sheet[1][2:4] == [11, 10]
    said = [[cell.value for cell in row] for row in book.worksheets[1].iter_rows()]
    assert any(row[0] == "Period" for row in said)
    # Every share explains itself.
    assert all(row[2] for row in said if row[1] and str(row[1]).endswith("_share"))
    kept = session.scalars(select(AuditEntry).where(AuditEntry.action == "statistics.export")).all()
    assert [entry.after["format"] for entry in kept] == ["csv", "xlsx"]


@pytest.mark.parametrize("chart", ["months", "conditions", "weeks"])
def test_charts_can_be_kept_as_drawings_and_numbers(eleven, sign_in, chart) -> None:
    client = sign_in("staff")
    answer = client.get(f"/statistics/{chart}.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "attachment" in answer.headers["Content-Disposition"]
    drawing = ElementTree.fromstring(answer.data)
    assert drawing.tag == f"{SVG}svg"
    assert drawing.find(f"{SVG}title").text
    assert drawing.find(f"{SVG}desc").text
    bars = [one for one in drawing.iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]
    assert bars
    width, height = (float(one) for one in drawing.get("viewBox").split()[2:])
    for bar in bars:
        x, y, wide, high = (float(bar.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
    rows = client.get(f"/statistics/{chart}.csv?plain=1").get_data(as_text=True).splitlines()
    assert len(rows) == {"months": 14, "conditions": 8, "weeks": 15}[chart]
    assert client.get(f"/statistics/{chart}.xlsx").status_code == 200


def test_a_chart_that_does_not_exist_is_not_found(sign_in) -> None:
    client = sign_in("staff")
    for ending in ("svg", "csv", "xlsx"):
        assert client.get(f"/statistics/nothing.{ending}").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-03-01&to=2026-02-01", "from"),
        ("to=2999-01-01", "to"),
        ("from=1999-01-01&to=2026-01-01", "from"),
        ("from=0001-01-01", "from"),
        ("to=0001-01-01", "to"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(eleven, sign_in, query, field) -> None:
    client = sign_in("staff")
    page = client.get(f"/statistics?{query}")
    assert page.status_code == 422
    assert f'id="f-{field}-wrong"' in page.get_data(as_text=True)
    for path in ("/api/v1/statistics", "/statistics.csv", "/statistics/months.svg"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 422, path
    assert field in client.get(f"/api/v1/statistics?{query}").get_json()["fields"]


def test_an_old_link_with_wrong_filters_shows_all(eleven, sign_in) -> None:
    client = sign_in("staff")
    page = client.get("/statistics?by=colour&owner=nobody&structure_type=tree")
    assert page.status_code == 200
    assert client.get("/api/v1/statistics?by=colour").status_code == 422


def test_an_empty_register_says_so(sign_in, session) -> None:
    published(session)
    page = sign_in("staff").get("/statistics?lang=en").get_data(as_text=True)
    assert "There is nothing to count yet" in page


def test_a_page_takes_no_more_statements_for_more_groups(eleven, sign_in, session) -> None:
    client = sign_in("staff")
    taken = []
    for more in (0, 30):
        for number in range(more):
            commune = makers.commune(session, code=f"7{number:04d}")
            makers.tower(session, commune=commune)
        session.commit()
        client.get("/statistics")
        with captured(database().engine) as sent:
            assert client.get("/statistics").status_code == 200
        taken.append(len([one for one, _ in sent if "SAVEPOINT" not in one]))
    assert 3 < taken[0] == taken[1] <= 12, taken


# Periods


def test_the_period_before_has_as_many_days_or_months() -> None:
    some = Period(day("2026-03-10"), day("2026-03-19"))
    assert some.before == Period(day("2026-02-28"), day("2026-03-09"))
    quarter = Period(day("2026-01-01"), day("2026-03-31"))
    assert quarter.before == Period(day("2025-10-01"), day("2025-12-31"))
    assert len(quarter.months) == 3
    usual = usual_period(day("2026-11-23"))
    assert usual == Period(day("2025-11-24"), day("2026-11-23"))
    assert usual.before.end == day("2025-11-23")
    assert usual_period(day("2024-02-29")).start == day("2023-03-01")


def test_weeks_begin_on_mondays() -> None:
    assert weeks_from(day("2026-11-29"), 2) == [day("2026-11-23"), day("2026-11-30")]


def test_a_share_of_too_few_is_none() -> None:
    assert Ratio(9, 9).value(10) is None
    assert Ratio(1, 10).value(10) == 10.0
    assert Ratio(0, 0).value(1) is None
