"""The towers of an organisation: as owner, manager and operator, counted once, in scope."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests import doors, makers
from towers.lists import shares_of
from towers.models import Installation
from towers.queries.organisations import numbers


@pytest.fixture
def crowd(session: Session):
    """One organisation with three towers, one of them in two roles and one far away."""
    here = makers.commune(session)
    away = makers.commune(session, box=(106.0, 10.0, 107.0, 11.0))
    company = makers.organisation(session, "Viễn thông ĐT")
    owned = makers.tower(session, code="A-1", commune=here, owner=company, manager_id=company.id)
    makers.tower(session, code="A-2", commune=away, owner=company, lifecycle="dismantled")
    used = makers.tower(session, code="A-3", commune=here)
    for tower in (owned, used):
        session.add(
            Installation(id=uuid.uuid4(), tower_id=tower.id, operator_id=company.id, service="bts")
        )
    makers.tower(session, code="A-4", commune=here, owner=makers.organisation(session, "Khác"))
    session.commit()
    return here, company


def test_each_role_is_counted_and_each_tower_once(session: Session, crowd) -> None:
    here, company = crowd
    staff = makers.actor(session, "staff")
    inspector = makers.actor(session, "inspector", territories=[here])
    found = shares_of(session, staff, company.id, today=makers.NOW.date())
    assert [(one.role, one.number, [t.code for t in one.first]) for one in found] == [
        ("owner", 2, ["A-1", "A-2"]),
        ("manager", 1, ["A-1"]),
        ("operator", 2, ["A-1", "A-3"]),
    ]
    assert numbers(session, staff, [company.id]) == {company.id: 3}
    assert numbers(session, inspector, [company.id]) == {company.id: 2}
    assert numbers(session, makers.actor(session, "operator"), [company.id]) == {}


def test_the_pages_show_them_and_lead_to_the_register(
    app: Flask, session: Session, crowd, sign_in
) -> None:
    here, company = crowd
    client = sign_in("inspector", territories=[here])
    page = client.get(f"/organisations/{company.id}?lang=en").get_data(as_text=True)
    assert "Operator: 2 towers" in page
    assert "A-2" not in page
    listed = client.get("/organisations?lang=en").get_data(as_text=True)
    assert 'data-label="Towers">2<' in listed
    for role, codes in (
        ("owner", ["A-1"]), ("manager", ["A-1"]), ("operator", ["A-1", "A-3"]),
    ):  # fmt: skip
        found = doors.answered(client.get(f"/api/v1/towers?{role}={company.id}"), 200)
        assert [one["code"] for one in found["items"]] == codes
        register = client.get(f"/towers?{role}={company.id}").get_data(as_text=True)
        assert all(code in register for code in codes)
        assert "A-4" not in register
        assert str(company.id) in register
    doors.refused(client.get("/api/v1/towers?operator=x"), 422)
    assert client.get("/towers?operator=x").status_code == 200
