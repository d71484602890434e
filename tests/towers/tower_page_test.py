"""The page of a tower: what is filled in, who to call, what ends, what happened, who is near."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock, store
from core.geo import to_polygon
from core.policy import SYSTEM
from tests import doors, makers
from tests.doors import answered
from towers.models import Tower


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff", name="Mai"))


def page_of(client: FlaskClient, path: str) -> str:
    joint = "&" if "?" in path else "?"
    response = client.get(f"{path}{joint}lang=en")
    assert response.status_code == 200, response.status_code
    return html.unescape(response.get_data(as_text=True))


def tower(session: Session, **columns: Any) -> Tower:
    made = makers.tower(session, code="T-1", latitude=10.46, longitude=105.63, **columns)
    session.commit()
    return made


def test_only_what_is_filled_in_is_shown_and_the_rest_is_counted(
    staff: FlaskClient, session: Session
) -> None:
    tower(session, design_standard="TCVN 2737:1995", obstruction_light=False, base_width_m=1.25)
    page = page_of(staff, "/towers/T-1")
    assert re.search(r"<dt>Design standard</dt><dd[^>]*>TCVN 2737:1995</dd>", page)
    assert re.search(r"<dt>Obstruction light</dt><dd[^>]*>No</dd>", page)
    assert re.search(r"<dt>Width of the base \(m\)</dt><dd[^>]*>1.25</dd>", page)
    assert "<dt>Foundation</dt>" not in page
    counted = int(re.search(r"(\d+) fields are not filled in", page)[1])
    listed = re.search(r"fields are not filled in</summary><p[^>]*>(.*?)\. <a", page)[1]
    assert len(listed.split(", ")) == counted
    assert "Foundation" in listed


def test_original_coordinates_stand_beside_wgs84(staff: FlaskClient, session: Session) -> None:
    tower(session, source_srid=5897, source_x=569044.81, source_y=1156833.58)
    page = page_of(staff, "/towers/T-1")
    assert "Original coordinates: VN-2000 / TM-3 105°00′" in page
    assert "X (N) 1156833.58 · Y (E) 569044.81" in page


def test_people_have_their_phones_as_links(staff: FlaskClient, session: Session) -> None:
    owner = makers.organisation(session, name="Chủ A")
    owner.responsible_person, owner.responsible_phone = "Ông Bảy", "(0277) 3 851 431"
    owner.phone = "+84 277 3851 431"
    tower(session, owner=owner, landowner="Bà Tám", landowner_phone="hỏi hàng xóm")
    page = page_of(staff, "/towers/T-1")
    assert 'href="tel:02773851431"' in page
    assert 'href="tel:+842773851431"' in page
    assert "Ông Bảy" in page and "Bà Tám" in page
    assert "hỏi hàng xóm" in page
    assert page.count('href="tel:') == 2


def test_a_phone_is_never_another_address(staff: FlaskClient, session: Session) -> None:
    tower(session, landowner_phone="javascript:alert(1)//0901234567")
    page = page_of(staff, "/towers/T-1")
    assert 'href="javascript' not in page


def test_permits_say_where_they_stand(staff: FlaskClient, session: Session) -> None:
    made = tower(session)
    today = clock.today()
    for days, kind in ((-1, "building_permit"), (0, "emf_result"), (89, "height_approval"),
                       (400, "bts_certificate"), (None, "other")):  # fmt: skip
        ends = None if days is None else today + timedelta(days=days)
        makers.permit(session, made, kind=kind, expires_on=ends)
    session.commit()
    page = page_of(staff, "/towers/T-1")
    states = re.findall(r"(Expired|About to expire|Valid|Without an end)</span>", page)
    assert sorted(states) == [
        "About to expire", "About to expire", "Expired", "Valid", "Without an end",
    ]  # fmt: skip
    assert "in 89 days" in page and ">today<" in page
    store.set_value(session, "permit_soon_days", 30, by=SYSTEM, now=clock.now())
    session.commit()
    page = page_of(staff, "/towers/T-1")
    assert "in 89 days" not in page


def test_installations_stand_with_their_antennas(staff: FlaskClient, session: Session) -> None:
    made = tower(session)
    operator = makers.organisation(session, name="VNPT", kind="operator")
    makers.installation(session, made, operator, station_code="DTP-1", kind="Panel 3 băng")
    makers.installation(session, made, operator, until=doors.day("2020-01-01"), antennas=[])
    session.commit()
    page = page_of(staff, "/towers/T-1")
    assert "VNPT" in page and "DTP-1" in page and "Panel 3 băng" in page
    assert "removed on 01/01/2020" in page


def test_neighbours_stand_within_the_asked_distance(staff: FlaskClient, session: Session) -> None:
    tower(session)
    makers.tower(session, code="GAN", latitude=10.4627, longitude=105.63)
    makers.tower(session, code="XA", latitude=10.4727, longitude=105.63)
    session.commit()
    near = page_of(staff, "/towers/T-1")
    assert "/towers/GAN" in near and "/towers/XA" not in near
    assert re.search(r"/towers/GAN.*?29\d m", near, re.DOTALL)
    assert "/towers/XA" in page_of(staff, "/towers/T-1?within=1500")
    assert "No other tower stands within 100 m" in page_of(staff, "/towers/T-1?within=100")
    for wrong in ("x", "-5", "0", "1e9", "9" * 40, "%00"):
        assert "/towers/GAN" in page_of(staff, f"/towers/T-1?within={wrong}")


def test_neighbours_are_those_of_the_readers_territory(
    session: Session, world: doors.World
) -> None:
    world.there.tower.geom = world.here.tower.geom
    session.commit()
    page = page_of(world["inspector"], f"/towers/{world.here.tower.code}")
    assert world.there.tower.code not in page
    assert world.there.tower.code in page_of(world["staff"], f"/towers/{world.here.tower.code}")


def test_the_timeline_merges_register_visits_and_violations(world: doors.World) -> None:
    code = world.here.tower.code
    change = {"name": "Tên mới", "note": "x"}
    answered(
        world["staff"].patch(f"/api/v1/towers/{code}", json=change, headers={"If-Match": "*"}), 200
    )
    page = page_of(world["staff"], f"/towers/{code}")
    timeline = page.split('id="timeline"')[1].split("</section>")[0]
    titles = [re.sub("<[^>]+>", "", one).strip() for one in timeline.split("<li>")[1:]]
    told = " | ".join(titles)
    assert "Changed" in told and "Name" in told and "Note" in told
    assert "Periodic inspection" in told
    assert re.search(r"\d violations? found", told)
    operators = page_of(world["local_officer"], f"/towers/{code}")
    assert "Periodic inspection" in operators


# Map


def around(client: FlaskClient) -> dict[str, Any]:
    return answered(client.get("/map/surroundings/T-1.json"), 200)


def test_the_fall_zone_is_a_ring_in_metres(staff: FlaskClient, session: Session) -> None:
    made = tower(session, height_m=50)
    zone = around(staff)["fall_zone"]
    assert zone["radius_m"] == 55.0
    ring = zone["geometry"]["coordinates"][0]
    distances = [session.scalar(makers.metres_between(made, x, y)) for x, y in ring]
    assert all(54.9 <= one <= 55.1 for one in distances)
    page = page_of(staff, "/towers/T-1")
    assert "Expected influence zone if the structure falls: 55 m" in page
    assert "not a legal corridor" in page


@pytest.mark.parametrize(
    ("kind", "height", "building", "radius"),
    [
        ("rooftop_pole", 10, 20, 21.0),
        ("rooftop_guyed", 10, None, None),
        ("monopole", 10, 20, 11.0),
        ("monopole", None, None, None),
    ],
)
def test_on_roofs_half_the_building_counts(
    staff: FlaskClient, session: Session, kind: str, height: int, building: int, radius: float
) -> None:
    tower(session, structure_type=kind, height_m=height, host_building_height_m=building)
    zone = around(staff)["fall_zone"]
    assert (zone and zone["radius_m"]) == radius
    if radius is None:
        assert "The influence zone is unknown" in page_of(staff, "/towers/T-1")


def test_the_factors_are_the_departments(staff: FlaskClient, session: Session) -> None:
    tower(session, structure_type="rooftop_pole", height_m=10, host_building_height_m=20)
    for key, value in (("fall_zone_factor", 1.5), ("fall_zone_building_factor", 0.25)):
        store.set_value(session, key, value, by=SYSTEM, now=clock.now())
    session.commit()
    assert around(staff)["fall_zone"]["radius_m"] == 20.0


def test_the_small_map_has_anchors_ground_and_neighbours(
    staff: FlaskClient, session: Session
) -> None:
    made = tower(session)
    made.footprint = to_polygon([makers.square(105.63, 10.46)])
    makers.anchor(session, made, number=7)
    makers.tower(session, code="GAN", latitude=10.4627, longitude=105.63)
    session.commit()
    found = around(staff)
    (anchor,) = found["anchors"]
    assert (anchor["number"], anchor["distance_m"]) == (7, 22.1)
    assert len(found["footprint"]["coordinates"][0]) == 5
    (near,) = found["neighbours"]
    assert (near["code"], near["condition"], near["latitude"]) == ("GAN", "unchecked", 10.4627)


# Sign


def test_the_sign_has_the_code_that_opens_the_page(staff: FlaskClient, session: Session) -> None:
    owner = makers.organisation(session, name="Chủ A")
    owner.responsible_phone = "0277 3851431"
    tower(session, owner=owner)
    page = page_of(staff, "/towers/T-1/sign")
    for text in ("T-1", "Chủ A", "0277 3851431", "http://localhost/towers/T-1"):
        assert text in page, text
    assert "Nguy hiểm: cấm trèo" in page, "the sign speaks Vietnamese whoever prints it"
    assert "<svg" in page.split('class="qr"')[1][:200]
    store.set_value(session, "public_url", "https://thap.example.vn/", by=SYSTEM, now=clock.now())
    session.commit()
    assert "https://thap.example.vn/towers/T-1<" in page_of(staff, "/towers/T-1/sign")


def test_the_drawn_code_says_the_address(app: Flask) -> None:
    """The squares are those of a code of this address: drawn again they are the same."""
    import qrcode
    from qrcode.image.svg import SvgPathImage

    from towers.pages.tower import qr_code

    address = "https://thap.example.vn/towers/T-1"
    drawn = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_Q, border=2)
    drawn.add_data(address)
    drawn.make(fit=True)
    again = drawn.make_image(image_factory=SvgPathImage).to_string(encoding="unicode")
    assert qr_code(address) == again
    assert qr_code(address + "2") != again


@pytest.mark.parametrize(
    "value", ["thap.example.vn", "ftp://x.vn", "https://", "https://a b", "https://x.vn?q=1", 5,
              "https://u:p@x.vn", "http://[", "https://x:99999999"],
)  # fmt: skip
def test_an_address_of_the_service_is_one(session: Session, value: Any) -> None:
    with pytest.raises(Exception, match="address of the service"):
        store.set_value(session, "public_url", value, by=SYSTEM, now=clock.now())


@pytest.mark.parametrize(
    ("key", "value"),
    [("fall_zone_factor", -1), ("fall_zone_factor", "1"), ("fall_zone_factor", True),
     ("fall_zone_building_factor", 11), ("permit_soon_days", 0), ("permit_soon_days", 1.5),
     ("neighbour_m", -1), ("neighbour_m", "x"), ("neighbour_m", 20_001)],
)  # fmt: skip
def test_settings_of_the_page_are_checked(session: Session, key: str, value: Any) -> None:
    before = store.value_of(session, key)
    with pytest.raises(Exception, match="number"):
        store.set_value(session, key, value, by=SYSTEM, now=clock.now())
    assert store.kept_value(session, key) == before


# Vocabularies


def test_the_vocabularies_are_told_in_both_languages(staff: FlaskClient) -> None:
    found = answered(staff.get("/api/v1/vocabularies"), 200)["items"]
    by_name = {one["name"]: {word["value"]: word for word in one["words"]} for one in found}
    mast = by_name["structure_type"]["guyed_mast"]
    assert (mast["vi"], mast["en"]) == ("Cột dây co trên mặt đất", "Ground guyed mast")
    assert mast["osm"]["tower:construction"] == "guyed_lattice"
    assert (mast["fcc"], mast["tt14"], mast["ttlt12"]) == (["GTOWER"], ["A2b"], "1")
    assert "cot day co" in mast["also"]
    assert by_name["permit_kind"]["emf_result"]["en"] == "EMF measurement"
    assert by_name["service"]["bts"]["osm"] == {"communication:mobile_phone": "yes"}
    assert {"lifecycle", "planning_class", "bts_category", "managing_department"} <= set(by_name)
    page = page_of(staff, "/towers/vocabularies")
    for text in ("Ground guyed mast", "GTOWER", "tower:construction=guyed_lattice", "A2b"):
        assert text in page
