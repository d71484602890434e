"""The commune of before the reform that papers name: linked where the text means exactly one."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from areas import queries as areas
from areas.services.reform import load_reform, reform_pairs
from core.geo import Position
from core.policy import SYSTEM
from tests import makers
from tests.areas.provinces import dong_thap
from tests.towers.imported import load
from towers.coordinates import Reading
from towers.former import link_former_communes
from towers.mapping import ColumnMapping
from towers.models import Tower
from towers.services import create_tower, update_tower

JUNE = date(2025, 6, 30)


@pytest.fixture
def province(session):
    dong_thap(session, reform=True)
    return session


def linked(session, code: str) -> str | None:
    session.expire_all()
    tower = session.scalars(select(Tower).where(Tower.code == code)).one()
    if tower.former_commune_id is None:
        return None
    return areas.area(session, tower.former_commune_id).full_name


@pytest.mark.parametrize(
    ("commune", "district", "expected"),
    [
        ("Phường 5", "TP Mỹ Tho", "Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang"),
        ("p.5", "my tho", "Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang"),
        ("Xã Tân Phú", "Thanh Bình", "Xã Tân Phú, Huyện Thanh Bình, Tỉnh Đồng Tháp"),
        ("Xã Tân Phú", "", None),
        ("Xã Tân Phú", "Huyện Châu Thành", "Xã Tân Phú, Huyện Châu Thành, Tỉnh Đồng Tháp"),
        ("Xã Không Có", "Huyện Châu Thành", None),
        ("", "Huyện Châu Thành", None),
    ],
)
def test_a_text_is_linked_where_it_means_one(province, commune, district, expected) -> None:
    makers.tower(province, code="A", former_commune=commune, former_district=district)
    link_former_communes(province)
    assert linked(province, "A") == expected


def reading(latitude: float = 10.46, longitude: float = 105.63):
    return Reading.of(Position(latitude, longitude))


def test_the_register_links_when_it_is_written(province) -> None:
    values = {
        "code": "A",
        "name": "Trạm",
        "structure_type": "unknown",
        "former_commune": "X. Mỹ Hội",
        "former_district": "Cái Bè",
    }
    made = create_tower(province, reading=reading(), values=values, by=SYSTEM, now=makers.NOW)
    assert linked(province, "A") == "Xã Mỹ Hội, Huyện Cái Bè, Tỉnh Tiền Giang"
    assert made.former_commune_id is not None
    update_tower(province, made, values={"former_district": "Cao Lãnh"}, by=SYSTEM, now=makers.NOW)
    assert linked(province, "A") == "Xã Mỹ Hội, Huyện Cao Lãnh, Tỉnh Đồng Tháp"
    update_tower(province, made, values={"former_commune": ""}, by=SYSTEM, now=makers.NOW)
    assert linked(province, "A") is None


def test_an_imported_list_is_linked(province) -> None:
    content = (
        "code,name,latitude,longitude,former_commune,former_district\n"
        "A,Trạm A,10.46,105.63,Phường 5,Gò Công\n"
        "B,Trạm B,10.46,105.64,,\n"
    ).encode()
    load(province, "list.csv", content)
    assert linked(province, "A") == "Phường 5, Thành phố Gò Công, Tỉnh Tiền Giang"
    assert linked(province, "B") is None


AMBIGUOUS = "Mã trạm;Vĩ độ;Kinh độ;Phường/Xã"


def said(session, code: str) -> str:
    return session.scalars(select(Tower.former_commune).where(Tower.code == code)).one()


@pytest.mark.parametrize(
    ("commune", "expected"),
    [
        # Several of before the reform, and none since.
        ("Phường 5", "Phường 5"),
        ("Phường Cao Lãnh", ""),
        ("Xã Mỹ Thọ", ""),
        ("Thị trấn Lấp Vò", "Thị trấn Lấp Vò"),
        ("Xã Không Có", ""),
    ],
)
def test_a_stated_commune_is_the_former_one_where_it_can_be_no_other(
    province, commune, expected
) -> None:
    load(province, "list.csv", f"{AMBIGUOUS}\nA;10.46;105.63;{commune}\n".encode())
    assert said(province, "A") == expected
    assert (linked(province, "A") is not None) == (commune == "Thị trấn Lấp Vò")


def test_beside_a_district_a_stated_commune_is_the_former_one(province) -> None:
    content = (
        f"{AMBIGUOUS};Quận/Huyện\n"
        "A;10.46;105.63;Xã Mỹ Thọ;Huyện Cao Lãnh\n"
        "B;10.46;105.64;Xã Mỹ Thọ;\n"
    ).encode()
    load(province, "list.csv", content)
    assert (said(province, "A"), said(province, "B")) == ("Xã Mỹ Thọ", "")
    assert linked(province, "A") == "Xã Mỹ Thọ, Huyện Cao Lãnh, Tỉnh Đồng Tháp"
    assert load(province, "list.csv", content).short == (2, 0, 0, 2, 0)


def test_a_list_may_have_the_communes_of_today_beside_the_former_ones(province) -> None:
    content = (
        "Mã trạm;Vĩ độ;Kinh độ;Xã (cũ);Huyện cũ;Xã, phường mới\n"
        "A;10.46;105.63;Phường 5;Mỹ Tho;Phường Cao Lãnh\n"
    ).encode()
    made = load(province, "list.csv", content)
    assert made.ignored == ()
    assert said(province, "A") == "Phường 5"
    assert linked(province, "A") == "Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang"


def test_a_saved_mapping_of_before_goes_on_meaning_former_communes(province) -> None:
    headers = tuple(AMBIGUOUS.split(";"))
    columns = {"code": (0,), "latitude": (1,), "longitude": (2,), "former_commune": (3,)}
    content = f"{AMBIGUOUS}\nA;10.46;105.63;Phường Cao Lãnh\n".encode()
    load(province, "list.csv", content, mapping=ColumnMapping(headers, columns))
    assert said(province, "A") == "Phường Cao Lãnh"


def test_the_reform_links_what_was_there_before_it(session, app) -> None:
    dong_thap(session)
    makers.tower(session, code="A", former_commune="Thị trấn Lấp Vò")
    load_reform(session, reform_pairs(), by=SYSTEM, now=makers.NOW)
    assert linked(session, "A") == "Thị trấn Lấp Vò, Huyện Lấp Vò, Tỉnh Đồng Tháp"
