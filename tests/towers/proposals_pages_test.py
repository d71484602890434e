"""Pages of proposals: where, what stands nearby, what it is; then the decision."""

from __future__ import annotations

import html
import io
import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests import doors, makers
from towers.models import Document, Tower, TowerProposal

PLACE = "10.5, 105.5"


@pytest.fixture
def commune(session: Session):
    return makers.commune(session)


@pytest.fixture
def inspector(sign_in, commune) -> FlaskClient:
    return sign_in("inspector", territories=[commune])


@pytest.fixture
def tower(session: Session, commune) -> Tower:
    made = makers.tower(
        session, code="DT-1", latitude=10.46, longitude=105.63, commune=commune, built_year=2010
    )
    session.commit()
    return made


def page(client: FlaskClient, path: str, **query: str) -> str:
    response = client.get(path, query_string={"lang": "en", **query})
    assert response.status_code == 200, response.status_code
    return html.unescape(response.get_data(as_text=True))


def send(client: FlaskClient, path: str = "/towers/propose", status: int = 302, **form):
    data = {"id": str(uuid.uuid4()), "position": PLACE, **form}
    response = client.post(path, data=data, query_string={"lang": "en"})
    assert response.status_code == status, response.get_data(as_text=True)[:3000]
    return html.unescape(response.get_data(as_text=True))


def the_proposal(session: Session) -> TowerProposal:
    session.commit()
    return session.scalars(select(TowerProposal)).one()


@pytest.mark.parametrize(
    "text",
    ["10.46, 105.63", "10°27'36\"N 105°37'48\"E", "POINT(105.63 10.46)", "48P 568958 1156333"],
)
def test_a_place_is_read_in_any_form_and_near_towers_come_first(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, text: str
) -> None:
    shown = page(inspector, "/towers/propose", position=text)
    assert "Is it one of these?" in shown
    assert "/towers/DT-1/propose" in shown
    assert 'name="photo"' not in shown
    going_on = page(inspector, "/towers/propose", position=text, confirmed="1")
    assert 'name="photo"' in going_on


def test_where_nothing_stands_the_form_comes_at_once(
    app: Flask, session: Session, inspector: FlaskClient
) -> None:
    shown = page(inspector, "/towers/propose", position=PLACE)
    assert "No tower of the register stands within 500 m" in shown
    assert 'name="photo"' in shown


def test_an_unreadable_place_is_named(app: Flask, session: Session, inspector: FlaskClient) -> None:
    for wrong in ("somewhere", "50, 10", "999999", "0, 0", "x" * 5000, "a\x00b"):
        response = inspector.get("/towers/propose", query_string={"position": wrong})
        assert response.status_code == 422, wrong
        assert 'id="f-position-wrong"' in response.get_data(as_text=True)


def test_a_new_tower_is_proposed_with_its_photos(
    app: Flask, session: Session, inspector: FlaskClient
) -> None:
    photos = [(io.BytesIO(doors.picture(seed=one)), f"{one}.jpg") for one in "ab"]
    send(
        inspector, accuracy="6.4", name="Trụ lạ", structure_type="monopole", height_m="24,5",
        note="mới dựng", photo=photos,
    )  # fmt: skip
    made = the_proposal(session)
    assert made.values == {
        "name": "Trụ lạ", "structure_type": "monopole", "height_m": 24.5, "coord_source": "gps",
        "coord_accuracy_m": 6.4, "latitude": 10.5, "longitude": 105.5,
    }  # fmt: skip
    assert [one.kind for one in made.documents] == ["photo", "photo"]
    shown = page(inspector, f"/proposals/{made.id}")
    assert "Trụ lạ" in shown
    assert shown.count("/thumbnail") == 2


def test_the_same_form_twice_is_one_proposal(
    app: Flask, session: Session, inspector: FlaskClient
) -> None:
    number = str(uuid.uuid4())
    for _ in range(2):
        send(inspector, id=number, photo=(io.BytesIO(doors.picture()), "a.jpg"))
    the_proposal(session)
    assert session.scalar(select(func.count()).select_from(Document)) == 1


def test_near_towers_are_shown_again_when_nobody_said_it_is_none_of_them(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient
) -> None:
    place = {"position": "10.46, 105.63"}
    shown = send(inspector, status=409, **place)
    assert "Is it one of these?" in shown
    send(inspector, confirmed="1", **place)
    the_proposal(session)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"height_m": "high"}, "height_m"),
        ({"code": "a b"}, "code"),
        ({"position": "10.5, 106.5"}, "position"),
        ({"position": ""}, "position"),
        ({"position": "x"}, "position"),
        ({"photo": (io.BytesIO(b"no picture"), "a.jpg")}, "form"),
        ({"photo": (io.BytesIO(doors.PDF), "a.pdf")}, "photo"),
        ({"photo": [(io.BytesIO(doors.picture()), "a.jpg")] * 11}, "photo"),
        ({"id": "x"}, "form"),
    ],
)
def test_a_wrong_form_is_told_and_keeps_nothing(
    app: Flask, session: Session, inspector: FlaskClient, form, field
) -> None:
    before = doors.counts(session)
    form = {"name": "Trụ lạ", **form}
    data = {"id": str(uuid.uuid4()), "position": PLACE, **form}
    response = inspector.post("/towers/propose", data=data)
    assert response.status_code in {415, 422}
    shown = response.get_data(as_text=True)
    assert f'href="#f-{field}"' in shown
    assert doors.counts(session) == before


def filled(client: FlaskClient, path: str) -> dict[str, str]:
    """The fields of a page's form as a browser would send them untouched."""
    shown = page(client, path)
    form = shown[shown.index("data-guard") :]
    fields = dict(re.findall(r'<input[^>]*? name="(\w+)" type="\w+" value="([^"]*)"', form))
    fields |= {
        name: value
        for name, options in re.findall(r'<select[^>]*name="(\w+)".*?>(.*?)</select>', form, re.S)
        for value in re.findall(r'value="([^"]*)" selected', options)
    }
    fields |= dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    fields |= dict(re.findall(r'id="f-(owner|manager)" name="\w+" list="\w+" value="()"', form))
    checked = re.findall(r'type="checkbox" name="(\w+)" value="(\w+)" checked', form)
    for name, value in checked:
        fields[name] = value
    return fields


def test_a_correction_keeps_only_what_differs(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, sign_in
) -> None:
    fields = filled(inspector, "/towers/DT-1/propose")
    assert (fields["name"], fields["services"], fields["built_year"]) == (tower.name, "bts", "2010")
    untouched = inspector.post("/towers/DT-1/propose", data=fields)
    assert untouched.status_code == 422
    send(inspector, "/towers/DT-1/propose", **{**fields, "height_m": "51", "explanation": "đã đo"})
    made = the_proposal(session)
    assert (made.values, made.base, made.note) == ({"height_m": 51.0}, {"height_m": 42.0}, "đã đo")
    staff = sign_in("staff")
    shown = page(staff, f"/proposals/{made.id}")
    assert "51" in shown
    assert "42" in shown
    form = {"version": "1", "decision": "accept", "take": "height_m"}
    response = staff.post(f"/proposals/{made.id}/decide", data=form)
    assert response.headers["Location"] == "/towers/DT-1"
    session.refresh(tower)
    assert tower.height_m == 51
    # The tower's history names the proposal's change.
    assert "51" in page(staff, "/towers/DT-1")


def test_staff_see_when_the_register_changed_since(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, sign_in
) -> None:
    fields = filled(inspector, "/towers/DT-1/propose")
    send(inspector, "/towers/DT-1/propose", **{**fields, "height_m": "51"})
    made, staff = the_proposal(session), sign_in("staff")
    tower.height_m = 45
    session.commit()
    assert "When this was proposed it was: 42" in page(staff, f"/proposals/{made.id}")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 422),
        ({"decision": "maybe"}, 422),
        ({"decision": "refuse"}, 422),
        ({"decision": "accept"}, 422),
        ({"decision": "accept", "code": "DT-9"}, 422),
        ({"decision": "accept", "code": "a b", "name": "x"}, 422),
        ({"decision": "accept", "code": "DT-1", "name": "x"}, 409),
        ({"decision": "accept", "code": "DT-9", "name": "x", "version": "7"}, 409),
    ],
)
def test_a_wrong_decision_decides_nothing(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, sign_in, form, status
) -> None:
    send(inspector, note="cột lạ")
    made, staff = the_proposal(session), sign_in("staff")
    before = doors.counts(session)
    data = {"version": "1", **form}
    assert staff.post(f"/proposals/{made.id}/decide", data=data).status_code == status
    session.refresh(made)
    assert made.state == "open"
    assert doors.counts(session) == before


def test_a_proposal_is_accepted_refused_and_withdrawn_on_its_page(
    app: Flask, session: Session, inspector: FlaskClient, sign_in
) -> None:
    staff = sign_in("staff")
    for place in ("10.2, 105.5", "10.3, 105.5", "10.4, 105.5"):
        send(inspector, position=place)
    session.commit()
    found = session.scalars(select(TowerProposal).order_by(TowerProposal.created_at)).all()
    accepted, refused, withdrawn = found
    take = ["latitude", "longitude"]
    form = {"version": "1", "decision": "accept", "code": "DT-9", "name": "Trụ Mới", "take": take}
    response = staff.post(f"/proposals/{accepted.id}/decide", data=form)
    assert response.headers["Location"] == "/towers/DT-9"
    form = {"version": "1", "decision": "refuse", "reason": "là cột điện"}
    assert staff.post(f"/proposals/{refused.id}/decide", data=form).status_code == 302
    path = f"/proposals/{withdrawn.id}/withdraw"
    assert inspector.post(path, data={"version": "1"}).status_code == 302
    assert inspector.post(path, data={"version": "2"}).status_code == 409
    shown = page(inspector, "/proposals", mine="1")
    for text in ("DT-9", "là cột điện", "Withdrawn", "Refused", "Accepted"):
        assert text in shown
    assert "No proposal was found" in page(staff, "/proposals")
