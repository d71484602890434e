"""Loading areas: what is new, changed, follows and ends; all of a file or nothing of it."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from areas import queries
from areas.models import Area
from areas.services import following
from core.audit import AuditEntry
from core.errors import Forbidden, Invalid
from core.geo import Position
from tests import makers
from tests.areas.provinces import JULY, JUNE, boundary, demo_boundaries, dong_thap, load

HERE = Position(10.2, 105.2)
WEST, EAST = (105.0, 10.0, 105.5, 10.5), (105.5, 10.0, 106.0, 10.5)
LATER = date(2026, 3, 1)


def rows(session) -> int:
    return session.scalar(select(func.count()).select_from(Area))


def commune(session, code: str, on: date | None = None) -> Area:
    found = queries.area_by_code(session, "commune", code, on=on)
    assert found is not None
    return found


def test_communes_and_their_province_are_loaded(session) -> None:
    change = load(session, boundary(), boundary("2", "Phường Hai", EAST, area_km2=80.7))
    assert (change.areas, change.new) == (2, [("1", "Xã Một"), ("2", "Phường Hai")])
    assert [one.name for one in queries.communes(session)] == ["Phường Hai", "Xã Một"]
    (province,) = queries.provinces(session)
    assert (province.code, province.name) == ("82", "Tỉnh Đồng Tháp")
    assert queries.bounds_of(session, province) == [105.0, 10.0, 106.0, 10.5]
    assert queries.extent(session) == (105.0, 10.0, 106.0, 10.5)
    one = commune(session, "2")
    assert (one.parent_id, float(one.area_km2), one.synthetic) == (province.id, 80.7, True)
    assert queries.any_synthetic(session)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "area.load")).one()
    assert (entry.after["areas"], entry.after["new"]) == (2, 2)


def test_the_same_file_again_changes_nothing(session) -> None:
    load(session, boundary())
    change = load(session, boundary())
    assert (change.same, change.anything) == (1, False)
    assert rows(session) == 2
    assert len(session.scalars(select(AuditEntry)).all()) == 1


def test_with_the_same_beginning_a_boundary_is_corrected_in_place(session) -> None:
    load(session, boundary())
    before = commune(session, "1").id
    change = load(session, boundary(name="Xã Mốt", box=(106.0, 10.0, 106.5, 10.5)))
    assert change.changed == [("1", "Xã Mốt")]
    assert commune(session, "1").id == before
    assert queries.commune_of(session, HERE) is None
    assert queries.commune_of(session, Position(10.2, 106.2)).name == "Xã Mốt"
    assert queries.bounds_of(session, queries.provinces(session)[0]) == [106.0, 10.0, 106.5, 10.5]


def test_with_a_later_beginning_the_known_area_ends_and_another_follows(session) -> None:
    load(session, boundary())
    change = load(session, boundary(box=(105.0, 10.0, 105.4, 10.5)), since=LATER)
    assert change.followed == [("1", "Xã Một")]
    old, new = commune(session, "1", on=date(2026, 2, 28)), commune(session, "1", on=LATER)
    assert (old.valid_to, new.valid_from) == (date(2026, 2, 28), LATER)
    assert queries.commune_of(session, Position(10.2, 105.2)).id == new.id
    assert queries.commune_of(session, Position(10.2, 105.45)) is None
    (heir,) = queries.successors(session, old)
    assert (heir.area.id, heir.whole, heir.main) == (new.id, False, True)


def test_what_is_as_it_was_goes_on_whatever_day_is_said(session) -> None:
    load(session, boundary(), boundary("2", "Xã Hai", EAST))
    before = commune(session, "2").id
    change = load(session, boundary(name="Phường Một"), boundary("2", "Xã Hai", EAST), since=LATER)
    assert (change.followed, change.same) == ([("1", "Phường Một")], 1)
    assert (commune(session, "2").id, commune(session, "2").valid_from) == (before, JULY)


def test_a_complete_file_ends_what_is_not_in_it_and_says_who_has_its_land(session) -> None:
    load(session, boundary(), boundary("2", "Xã Hai", EAST))
    both = boundary("3", "Phường Ba", (105.0, 10.0, 106.0, 10.5))
    change = load(session, both, since=LATER, complete=True)
    assert change.new == [("3", "Phường Ba")]
    assert change.ended == [("1", "Xã Một"), ("2", "Xã Hai")]
    assert [one.code for one in queries.communes(session)] == ["3"]
    for code in ("1", "2"):
        (heir,) = queries.successors(session, commune(session, code, on=JULY))
        assert (heir.area.code, heir.whole, heir.main) == ("3", True, True)
    assert len(queries.predecessors(session, commune(session, "3"))) == 2


def test_an_area_that_was_split_has_a_main_heir_and_another(session) -> None:
    load(session, boundary())
    change = load(
        session,
        boundary("2", "Xã Lớn", (105.0, 10.0, 105.4, 10.5)),
        boundary("3", "Xã Bé", (105.4, 10.0, 105.5, 10.5)),
        since=LATER,
        complete=True,
    )
    assert change.ended == [("1", "Xã Một")]
    heirs = queries.successors(session, commune(session, "1", on=JULY))
    assert [(one.area.name, one.whole, one.main) for one in heirs] == [
        ("Xã Lớn", False, True),
        ("Xã Bé", False, False),
    ]


def test_a_file_that_is_not_complete_ends_nothing(session) -> None:
    load(session, boundary(), boundary("2", "Xã Hai", EAST))
    load(session, boundary("3", "Xã Ba", EAST), since=LATER)
    assert {one.code for one in queries.communes(session)} == {"1", "2", "3"}


def test_nothing_can_end_before_it_began(session) -> None:
    load(session, boundary(), boundary("2", "Xã Hai", EAST))
    with pytest.raises(Invalid) as caught:
        load(session, boundary(), complete=True)
    assert list(caught.value.fields) == ["2 (Xã Hai)"]


def test_two_areas_never_have_one_code_on_one_day(session) -> None:
    load(session, boundary())
    with pytest.raises(Invalid) as caught:
        load(session, boundary(name="Xã Trước"), since=date(2025, 1, 1))
    assert list(caught.value.fields) == ["feature 1 (Xã Trước)"]
    session.rollback()


def test_the_database_refuses_it_too(session) -> None:
    makers.commune(session, code="1")
    session.add(Area(level="commune", code="1", name="Khác", valid_from=LATER, valid_to=LATER))
    with pytest.raises(IntegrityError, match="ex_area_level_code_validity"):
        session.flush()


def test_boundaries_of_the_past_are_given_to_what_the_reform_left(session) -> None:
    dong_thap(session, reform=True)
    before = rows(session)
    change = load(
        session,
        boundary("28249", "Phường 5", WEST),
        until=JUNE,
        since=None,
        province_name="Tỉnh Tiền Giang",
    )
    assert change.changed == [("28249", "Phường 5")]
    assert rows(session) == before
    old = commune(session, "28249", on=JUNE)
    assert old.full_name == "Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang"
    assert queries.bounds_of(session, old) == [105.0, 10.0, 105.5, 10.5]
    assert commune(session, "28249").name == "Phường Đạo Thạnh"
    # What the reform says of its heirs stands, wherever this boundary lies.
    assert [one.area.name for one in queries.successors(session, old)] == ["Phường Đạo Thạnh"]


def test_provinces_are_loaded_without_a_province(session) -> None:
    change = load(
        session,
        boundary("82", "Tỉnh Đồng Tháp", WEST),
        boundary("80", "Tỉnh Tây Ninh", EAST),
        level="province",
        province_code="",
        province_name="",
    )
    assert len(change.new) == 2
    assert {one.code for one in queries.provinces(session)} == {"82", "80"}


def test_real_boundaries_take_the_mark_of_synthetic_ones_away(session) -> None:
    load(session, boundary())
    change = load(session, boundary(), synthetic=False)
    assert change.changed == [("1", "Xã Một")]
    assert not queries.any_synthetic(session)


def test_a_look_at_what_would_happen_leaves_nothing(session) -> None:
    load(session, boundary())
    session.commit()
    change = load(session, boundary(name="Xã Mốt"), keep=False)
    assert change.changed == [("1", "Xã Mốt")]
    session.rollback()
    assert commune(session, "1").name == "Xã Một"


def test_whoever_depends_on_areas_is_told(session, monkeypatch) -> None:
    told = []

    def follow(session, *, keep, by, now):
        told.append((keep, queries.commune_of(session, HERE).name))
        return following.Consequence("nothing.html", {}, ("told",))

    monkeypatch.setattr(following, "_following", [follow])
    change = load(session, boundary())
    assert told == [(True, "Xã Một")]
    assert change.consequences[0].lines == ("told",)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"province_code": " "}, "province_code"),
        ({"province_name": ""}, "province_name"),
        ({"province_name": "a\x00"}, "province_name"),
        ({"source": "a\x00"}, "source"),
        ({"since": date(2099, 1, 1)}, "valid_from"),
        ({"since": None}, "valid_from"),
        ({"until": date(2099, 1, 1)}, "valid_to"),
        ({"since": JULY, "until": JUNE}, "valid_to"),
        ({"since": None, "until": JUNE, "complete": True}, "complete"),
    ],
)
def test_terms_that_are_not_right_are_named(session, terms, field) -> None:
    with pytest.raises(Invalid) as caught:
        load(session, boundary(), **terms)
    assert list(caught.value.fields) == [field]
    assert rows(session) == 0


def test_a_province_that_had_another_name_then_is_named(session) -> None:
    dong_thap(session, reform=True)
    with pytest.raises(Invalid) as caught:
        load(session, boundary("9", "Xã Cũ"), since=date(2024, 1, 1), until=date(2025, 7, 31))
    assert list(caught.value.fields) == ["province_code"]


@pytest.mark.parametrize("role", ["staff", "inspector", "local_officer", "operator"])
def test_only_administrators_load(session, role) -> None:
    with pytest.raises(Forbidden):
        load(session, boundary(), by=makers.actor(session, role))
    assert load(session, boundary(), by=makers.actor(session, "admin")).areas == 1


def test_the_demo_province_has_its_102_communes(session) -> None:
    change = load(session, *demo_boundaries())
    assert change.areas == len(queries.communes(session)) == 102
    assert all(one.synthetic for one in queries.communes(session))
    assert "Xã Thường Phước" in {one.name for one in queries.communes(session)}
    # The cells do not overlap: together they are as large as what they cover.
    size = func.sum(func.ST_Area(Area.geom))
    together, whole = (
        session.scalar(select(size).where(Area.level == level)) for level in ("commune", "province")
    )
    assert together == pytest.approx(whole, rel=1e-4)


def test_an_ended_area_keeps_its_row(session) -> None:
    load(session, boundary())
    load(session, boundary("2", "Xã Hai", EAST), since=LATER, complete=True)
    assert session.scalar(text("SELECT count(*) FROM area WHERE valid_to IS NOT NULL")) == 1
