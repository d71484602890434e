"""Importing what was exported changes nothing, whatever the form and whoever wrote the names."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core.audit import AuditEntry
from core.words import FORMULA, unprotected
from tests import doors, makers
from tests.towers.exporting import HOSTILE, exported, full_register
from tests.towers.imported import Imported, load
from towers.models import Tower

# Every hostile text stands in every field of two of them.
TOWERS = 2 * len(HOSTILE)


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def register(session: Session) -> list[Tower]:
    # GDAL takes the kind of a field from the first that has one: here an empty list.
    first = makers.tower(session, code="!ĐẦU", services=())
    return [*full_register(session, towers=TOWERS), first]


def imported(session: Session, name: str, content: bytes) -> Imported:
    report = load(session, name, content)
    session.commit()
    return report


def unchanged(session: Session, report: Imported, register: list[Tower]) -> None:
    assert not report.wrong, report.wrong[:3]
    assert not report.changes, report.changes[:2]
    assert report.short == (len(register), 0, 0, len(register), 0)
    assert set(session.scalars(select(Tower.version))) == {1}
    assert not session.scalar(
        select(func.count()).select_from(AuditEntry).where(AuditEntry.kind == "tower")
    )
    organisations = session.scalar(select(func.count()).select_from(Organisation))
    # The owners and managers of the full ones.
    assert organisations == 2 * TOWERS


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    "query",
    [
        {"format": "csv"},
        {"format": "csv", "plain": "1"},
        {"format": "csv", "values": "keys"},
        {"format": "geojson"},
        {"format": "geojson", "values": "labels"},
    ],
    ids=str,
)
def test_the_register_comes_back_as_it_was(
    staff: FlaskClient,
    session: Session,
    register: list[Tower],
    query: dict[str, str],
    language: str,
) -> None:
    content = exported(staff, **query, lang=language).data
    unchanged(session, imported(session, f"list.{query['format']}", content), register)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_workbook_comes_back_as_it_was(
    staff: FlaskClient, session: Session, register: list[Tower], language: str
) -> None:
    content = exported(staff, format="xlsx", lang=language).data
    unchanged(session, imported(session, "list.xlsx", content), register)


@pytest.mark.parametrize("ending", ["gpkg", "kml"])
def test_a_layer_comes_back_as_it_was(
    staff: FlaskClient, session: Session, register: list[Tower], ending: str
) -> None:
    content = exported(staff, format=ending).data
    unchanged(session, imported(session, f"list.{ending}", content), register)


@pytest.mark.parametrize("srid", ["5897", "9210", "4756", "3405", "given"])
@pytest.mark.parametrize("ending", ["csv", "xlsx", "gpkg"])
def test_other_systems_bring_every_tower_back_to_its_place(
    staff: FlaskClient, session: Session, register: list[Tower], ending: str, srid: str
) -> None:
    # One stands on the other side of the earth, where no zone of these reaches.
    near = [tower for tower in register if tower.code != "NAM-TAY"]
    content = exported(staff, format=ending, srid=srid, bbox="100,5,115,25").data
    unchanged(session, imported(session, f"list.{ending}", content), near)


def test_a_change_in_an_exported_list_is_the_only_change(
    staff: FlaskClient, session: Session, register: list[Tower]
) -> None:
    content = exported(staff, format="csv", lang="en").data.decode()
    given = register[2]
    before = (given.source_srid, given.source_x, given.source_y)
    assert "TRỐNG,Trạm Thử Nghiệm" in content
    changed = content.replace("TRỐNG,Trạm Thử Nghiệm", "TRỐNG,Trạm Mới")
    report = imported(session, "list.csv", changed.encode())
    assert (report.counts.changed, report.counts.same) == (1, len(register) - 1)
    session.expire_all()
    assert (given.source_srid, given.source_x, given.source_y) == before


@pytest.mark.parametrize("text", ["=1", "'=1", "''=1", "-x", "'", "''", "'a", "+", "@x", "\tx"])
def test_the_mark_is_taken_off_again(text: str) -> None:
    marked = f"'{text}" if FORMULA.match(text) else text
    assert unprotected(marked) == text
