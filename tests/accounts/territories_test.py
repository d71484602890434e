"""Territories that name an area which has ended: reported, renewed when somebody says so."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from accounts.models import User
from accounts.territories import ended_territories, give_heirs
from areas import queries as areas
from core.audit import AuditEntry
from core.errors import Forbidden
from core.policy import SYSTEM
from tests import doors, makers
from tests.areas.provinces import JULY, boundary, load

LATER = date(2026, 3, 1)
WEST, EAST = (105.0, 10.0, 105.5, 10.5), (105.5, 10.0, 106.0, 10.5)


@pytest.fixture
def officer(session, app) -> User:
    """An officer of commune 1, which then becomes a part of commune 3."""
    load(session, boundary(), boundary("2", "Xã Hai", EAST))
    made = makers.user(
        session,
        "local_officer",
        territories=[areas.area_by_code(session, "commune", code) for code in ("1", "2")],
    )
    session.commit()
    return made


def merge(session):
    return load(
        session,
        boundary("3", "Phường Ba", WEST),
        boundary("2", "Xã Hai", EAST),
        since=LATER,
        complete=True,
    )


def names(user: User) -> set[str]:
    return {area.name for area in user.territories}


def test_loading_says_whose_territory_has_ended_and_changes_nobody(session, officer) -> None:
    change = merge(session)
    (found,) = [one for one in change.consequences if "territories" in one.template]
    (row,) = found.facts["rows"]
    assert (row["email"], row["area"]) == (officer.email, "Xã Một, Tỉnh Đồng Tháp")
    assert row["heirs"] == "Phường Ba"
    assert officer.email in found.lines[0]
    session.refresh(officer)
    assert names(officer) == {"Xã Một", "Xã Hai"}


def test_the_heirs_take_the_place_of_what_has_ended(session, officer) -> None:
    merge(session)
    assert give_heirs(session, by=SYSTEM, now=makers.NOW) == 1
    assert names(officer) == {"Phường Ba", "Xã Hai"}
    assert ended_territories(session, SYSTEM) == []
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user.edit")).one()
    assert entry.before["territories"] == ["1 Xã Một", "2 Xã Hai"]
    assert entry.after["territories"] == ["2 Xã Hai", "3 Phường Ba"]
    assert give_heirs(session, by=SYSTEM, now=makers.NOW) == 0


def test_an_heir_with_the_same_code_is_a_change_too(session, officer) -> None:
    load(session, boundary("1", "Phường Một", (105.0, 10.0, 105.4, 10.5)), since=LATER)
    before = officer.fs_uniquifier
    assert give_heirs(session, by=SYSTEM, now=makers.NOW) == 1
    assert names(officer) == {"Phường Một", "Xã Hai"}
    assert officer.fs_uniquifier != before


def test_an_area_without_heirs_stays_in_sight(session, officer) -> None:
    load(session, boundary("2", "Xã Hai", EAST), since=LATER, complete=True)
    (one,) = ended_territories(session, SYSTEM)
    assert (one.user, one.area.name, one.main) == (officer, "Xã Một", [])
    assert give_heirs(session, by=SYSTEM, now=makers.NOW) == 0
    assert names(officer) == {"Xã Một", "Xã Hai"}


def test_only_administrators_renew_territories(session, officer) -> None:
    merge(session)
    with pytest.raises(Forbidden):
        give_heirs(session, by=makers.actor(session, "staff"), now=makers.NOW)


def test_the_page_of_users_shows_and_renews_them(session, officer, app) -> None:
    merge(session)
    admin = doors.client_of(app, session, makers.user(session, "admin"))
    page = admin.get("/users?lang=en").get_data(as_text=True)
    assert "Territories whose areas have ended" in page
    assert "Phường Ba" in page
    form = admin.get(f"/users/{officer.id}?lang=en").get_data(as_text=True)
    assert "until 28/02/2026" in form
    assert admin.post("/users/territories").status_code == 302
    session.expire_all()
    assert names(officer) == {"Phường Ba", "Xã Hai"}
    page = admin.get("/users?lang=en").get_data(as_text=True)
    assert "Territories whose areas have ended" not in page
    assert areas.area_by_code(session, "commune", "1", on=JULY).valid_to == date(2026, 2, 28)
