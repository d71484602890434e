"""Pages of users and organisations: good input is kept, bad input is named beside its field."""

from __future__ import annotations

import html
import re
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation, User
from tests import doors, makers
from tests.doors import counts


@pytest.fixture
def admin(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "admin", email="quan@example.org"))


def wrong_fields(page: str) -> set[str]:
    """The fields beside which a page says that something is wrong."""
    return set(re.findall(r'id="f-([\w.]+)-wrong"', page))


USER = {"email": "moi@example.org", "name": "Người Mới", "roles": ["inspector"], "active": "1"}


def test_nobody_gets_a_role_that_nobody_chose(admin: FlaskClient) -> None:
    page = admin.get("/users/new").get_data(as_text=True)
    assert 'name="roles" value="operator"' in page
    assert not re.search(r'name="roles"[^>]* checked', page)


def test_a_user_is_made_without_a_password_and_with_a_link(
    admin: FlaskClient, session: Session
) -> None:
    commune = makers.commune(session)
    owner = makers.organisation(session)
    session.commit()
    given = {**USER, "territories": [str(commune.id)], "organisation": str(owner.id)}
    page = admin.post("/users/new", data=given)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    (token,) = re.findall(r"/password/new/([\w-]{40,})", page.get_data(as_text=True))
    session.commit()
    made = session.scalars(select(User).where(User.email == USER["email"])).one()
    assert [role.name for role in made.roles] == ["inspector"]
    assert [area.id for area in made.territories] == [commune.id]
    assert (made.everywhere, made.organisation_id, made.password) == (False, owner.id, None)
    assert token not in admin.get(f"/users/{made.id}").get_data(as_text=True)
    assert token not in admin.get("/users").get_data(as_text=True)


@pytest.mark.parametrize(
    ("changes", "field", "status"),
    [
        ({"email": ""}, "email", 422),
        ({"email": "khong-phai"}, "email", 422),
        ({"email": "a@b"}, "email", 422),
        ({"email": "a b@example.org"}, "email", 422),
        ({"email": "x" * 250 + "@example.org"}, "email", 422),
        ({"email": "QUAN@example.org"}, "email", 409),
        ({"roles": []}, "roles", 422),
        ({"roles": ["king"]}, "roles", 422),
    ],
)
def test_a_wrong_user_is_named_and_the_rest_stays_typed(
    admin: FlaskClient, session: Session, changes: dict[str, Any], field: str, status: int
) -> None:
    before = counts(session)
    response = admin.post("/users/new", data={**USER, **changes})
    assert response.status_code == status
    page = response.get_data(as_text=True)
    assert field in wrong_fields(page)
    assert "Người Mới" in html.unescape(page)
    assert counts(session) == before


@pytest.mark.parametrize("field", ["email", "name", "roles", "territories", "organisation"])
@pytest.mark.parametrize("value", ["\x00", "\ud7ff" * 5000, "99999999999999999999", "-1"])
def test_odd_input_never_breaks_the_form(admin: FlaskClient, field: str, value: str) -> None:
    response = admin.post("/users/new", data={**USER, field: value})
    assert response.status_code in {200, 409, 422}, response.status_code


def test_a_change_by_an_old_form_is_refused(admin: FlaskClient, session: Session) -> None:
    person = makers.user(session, "staff", name="Trước")
    session.commit()
    form = {"name": "Sau", "roles": "staff", "everywhere": "1", "active": "1", "version": "1"}
    assert admin.post(f"/users/{person.id}", data=form).status_code == 302
    before = counts(session)
    again = admin.post(f"/users/{person.id}", data={**form, "name": "Muộn"})
    assert again.status_code == 409
    assert "Muộn" in again.get_data(as_text=True)
    assert counts(session) == before
    session.refresh(person)
    assert (person.name, person.version) == ("Sau", 2)


def test_the_last_administrator_stays(admin: FlaskClient, session: Session) -> None:
    me = session.scalars(select(User).where(User.email == "quan@example.org")).one()
    for form in (
        {"roles": "staff", "active": "1"},
        {"roles": "admin"},
    ):
        response = admin.post(f"/users/{me.id}", data={**form, "name": "x", "version": "1"})
        assert response.status_code == 409
    session.refresh(me)
    assert me.active
    assert [role.name for role in me.roles] == ["admin"]


ORGANISATION = {"name": "Viễn thông A", "kind": "owner", "email": "", "phone": "", "address": ""}


def test_an_organisation_is_made_changed_and_found(admin: FlaskClient, session: Session) -> None:
    assert admin.post("/organisations/new", data=ORGANISATION).status_code == 302
    session.commit()
    made = session.scalars(select(Organisation)).one()
    form = {**ORGANISATION, "phone": "0277 3855 001", "version": "1"}
    assert admin.post(f"/organisations/{made.id}/edit", data=form).status_code == 302
    assert "0277 3855 001" in admin.get(f"/organisations/{made.id}").get_data(as_text=True)
    for query, found in (("q=vien thong", True), ("q=%25", False), ("kind=manager", False),
                         ("kind=owner", True), ("kind=x", True)):  # fmt: skip
        page = admin.get(f"/organisations?{query}").get_data(as_text=True)
        assert ("Viễn thông A" in page) == found, query


@pytest.mark.parametrize(
    ("changes", "field", "status"),
    [
        ({"name": ""}, "name", 422),
        ({"name": "x" * 301}, "name", 422),
        ({"name": "  \t "}, "name", 422),
        ({"name": "ĐÃ CÓ"}, "name", 409),
        ({"kind": "shop"}, "kind", 422),
        ({"kind": ""}, "kind", 422),
        ({"email": "x"}, "email", 422),
        ({"phone": "1" * 501}, "phone", 422),
        ({"address": "x" * 501}, "address", 422),
        ({"tax_code": "0100233480"}, "tax_code", 422),
        ({"responsible_email": "x"}, "responsible_email", 422),
        ({"contact_phone": "0277"}, "contacts.0.name", 422),
    ],
)
def test_a_wrong_organisation_is_named(
    admin: FlaskClient, session: Session, changes: dict[str, str], field: str, status: int
) -> None:
    makers.organisation(session, name="Đã có")
    session.commit()
    before = counts(session)
    response = admin.post("/organisations/new", data={**ORGANISATION, **changes})
    assert response.status_code == status
    assert wrong_fields(response.get_data(as_text=True)) == {field}
    assert counts(session) == before


def test_an_inspector_reads_organisations_and_changes_none(app: Flask, session: Session) -> None:
    made = makers.organisation(session, name="Chủ cột")
    client = doors.client_of(app, session, makers.user(session, "inspector"))
    page = client.get(f"/organisations/{made.id}").get_data(as_text=True)
    assert "Chủ cột" in page
    assert 'name="kind"' not in page
    assert client.post(f"/organisations/{made.id}/edit", data=ORGANISATION).status_code == 403


def test_what_is_not_there_is_404(admin: FlaskClient) -> None:
    for path in (f"/users/{uuid.uuid4()}", f"/organisations/{uuid.uuid4()}", "/users/1"):
        assert admin.get(path).status_code == 404


def test_empty_lists_say_what_to_do_next(admin: FlaskClient) -> None:
    page = admin.get("/organisations?lang=en").get_data(as_text=True)
    assert "No organisation was found" in page
    assert 'href="/organisations/new"' in page
