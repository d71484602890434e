"""Where the towers of a view may fall: metres by the rule, the worst first, and for whom."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from maps.queries import fall_zones
from tests import doors, makers
from tests.doors import answered, refused

VIEW = "bbox=105.5,10.4,105.6,10.5"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def test_the_rings_are_those_of_the_towers_in_the_view(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, latitude=10.41, longitude=105.51, height_m=60, condition="dangerous",
                 condition_reason=None)  # fmt: skip
    makers.tower(session, code="{{7*7}}", latitude=10.42, longitude=105.52, height_m=None)
    makers.tower(session, latitude=10.43, longitude=105.53, structure_type="rooftop_pole",
                 height_m=9)  # fmt: skip
    makers.tower(session, latitude=10.3, longitude=105.53)
    makers.tower(session, latitude=10.44, longitude=105.53, lifecycle="dismantled")
    session.commit()
    found = answered(staff.get(f"/map/fall-zones.json?{VIEW}"), 200)
    assert found == {"total": 3, "unknown": 2, "zones": [[105.51, 10.41, 66.0, "dangerous"]]}
    narrowed = staff.get(f"/map/fall-zones.json?{VIEW}&condition=unchecked")
    assert answered(narrowed, 200) == {"total": 2, "unknown": 2, "zones": []}


def test_of_too_many_the_worst_are_drawn_and_all_are_counted(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fall_zones, "MOST", 2)
    for condition, reason in (("unchecked", "never"), ("needs_follow_up", None)) * 2:
        makers.tower(session, latitude=10.45, longitude=105.55, condition=condition,
                     condition_reason=reason)  # fmt: skip
    session.commit()
    found = answered(staff.get(f"/map/fall-zones.json?{VIEW}"), 200)
    assert found["total"] == 4
    assert [zone[3] for zone in found["zones"]] == ["needs_follow_up"] * 2


def test_a_reader_with_a_territory_sees_its_rings_only(app: Flask, session: Session) -> None:
    here = makers.commune(session, code="90001", box=(105.5, 10.4, 105.55, 10.5))
    there = makers.commune(session, code="90002", box=(105.55, 10.4, 105.6, 10.5))
    makers.tower(session, latitude=10.45, longitude=105.52, commune=here)
    makers.tower(session, latitude=10.45, longitude=105.58, commune=there)
    person = makers.user(session, "inspector", territories=[here])
    reader = doors.client_of(app, session, person)
    found = answered(reader.get(f"/map/fall-zones.json?{VIEW}"), 200)
    assert (found["total"], [zone[0] for zone in found["zones"]]) == (1, [105.52])


@pytest.mark.parametrize("view", ["", "bbox=1,2,3", "bbox=105,10,105.6,10.1", "bbox=a,b,c,d"])
def test_no_view_or_a_wide_one_is_refused(staff: FlaskClient, view: str) -> None:
    refused(staff.get(f"/map/fall-zones.json?{view}"), 400)
