"""One box over code, name, owner, address, commune and what these were called before."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.policy import Actor
from tests import makers
from tests.makers import NOW
from towers import lists, queries
from towers.queries import Filters

TODAY = NOW.date()


@pytest.fixture
def staff(session: Session) -> Actor:
    return makers.actor(session, "staff")


def found(session: Session, actor: Actor, q: str, **filters) -> tuple[list[str], bool]:
    """The codes that a text finds, in order, and whether they are only nearly so."""
    asked = queries.understood(session, actor, Filters(q=q, **filters))
    page = lists.towers(session, actor, asked, today=TODAY)
    assert lists.count(session, actor, asked, today=TODAY) == len(page.rows)
    return [one.code for one in page.rows], asked.nearly


@pytest.fixture
def register(session: Session) -> None:
    viettel = makers.organisation(session, "Tổng công ty Viễn thông Quân đội Viettel")
    lanh = makers.commune(session, name="Phường Cao Lãnh", code="91001")
    muoi = makers.commune(session, name="Xã Tháp Mười", code="91002", box=(105.8, 10.5, 106, 10.7))
    makers.tower(session, code="DT-00077", name="Trạm Sông Tiền", commune=lanh, owner=viettel)
    makers.tower(session, code="DT-00078", name="Trạm Gò Tháp", commune=muoi, owner=viettel)
    makers.tower(
        session,
        code="VNPT_9",
        name="Trạm số 9",
        commune=muoi,
        address="Đường 30/4, ấp Mỹ Phú",
        former_commune="Xã Mỹ Trà",
        former_district="Huyện Cao Lãnh",
    )


@pytest.mark.parametrize(
    ("q", "codes"),
    [
        ("DT-00077", ["DT-00077"]),
        ("dt-00077", ["DT-00077"]),
        ("dt00077", ["DT-00077"]),  # without its hyphen
        ("DT-0007", ["DT-00077", "DT-00078"]),
        ("dt-9", []),  # a sign joins: not a `dt` here and a 9 there
        ("00077", ["DT-00077"]),
        ("sông tiền", ["DT-00077"]),
        ("SONG TIEN", ["DT-00077"]),
        ("tiền sông", ["DT-00077"]),  # in any order
        ("so\u0302ng tie\u0302\u0300n", ["DT-00077"]),  # letters and marks apart
        ("viettel", ["DT-00077", "DT-00078"]),
        ("quan doi thap muoi", ["DT-00078"]),  # owner and commune
        ("phường cao lãnh", ["DT-00077"]),
        ("cao lanh", ["DT-00077", "VNPT_9"]),  # a commune, and a district of before
        ("my tra", ["VNPT_9"]),
        ("30/4", ["VNPT_9"]),
        ("đường 30 4 mỹ phú", ["VNPT_9"]),
        ("vnpt_9", ["VNPT_9"]),
        ("gò", ["DT-00078"]),
        ("ap", ["VNPT_9"]),  # a short word is a word's beginning: not the `ap` in Tháp
        ("tha", ["DT-00078", "VNPT_9"]),  # what has been typed so far
    ],
)
def test_words_are_found_wherever_they_stand(session, staff, register, q, codes) -> None:
    assert found(session, staff, q) == (codes, False)


@pytest.mark.parametrize(
    ("q", "codes"),
    [
        ("viettle", ["DT-00077", "DT-00078"]),
        ("sogn tien", ["DT-00077"]),
        ("thap nuoi", ["DT-00078", "VNPT_9"]),
        ("thapmuoi", ["DT-00078", "VNPT_9"]),
        ("Thaps Muowif", ["DT-00078", "VNPT_9"]),  # Telex without its keyboard
    ],
)
def test_what_nothing_has_is_found_nearly_so_and_said_to_be(
    session, staff, register, q, codes
) -> None:
    assert found(session, staff, q) == (codes, True)


def test_words_of_which_each_is_written_somewhere_may_still_be_slips(session, staff) -> None:
    """Most slips of a syllable make another one that exists."""
    makers.tower(session, code="A", name="Trạm Lai Vung")
    makers.tower(session, code="B", name="Trạm Hy Vọng")
    assert found(session, staff, "lai vong") == (["A"], True)


def test_numbers_are_never_guessed(session, staff, register) -> None:
    assert found(session, staff, "DT-00099") == ([], False)
    assert found(session, staff, "99999") == ([], False)


@pytest.mark.parametrize("q", ["%", "_", "\\", "%%%", "' OR 1=1 --", "…", "🗼", "\u202e"])
def test_signs_find_nothing_and_break_nothing(session, staff, register, q) -> None:
    assert found(session, staff, q) == ([], False)


def test_a_renamed_owner_is_found_by_the_new_name_at_once(session, staff, register) -> None:
    session.execute(text("UPDATE organisation SET name = 'Hạ tầng Sen Hồng'"))
    assert found(session, staff, "sen hong")[0] == ["DT-00077", "DT-00078"]
    assert found(session, staff, "viettel") == ([], False)


def test_a_renamed_tower_is_found_nearly_by_its_new_words(session, staff) -> None:
    tower = makers.tower(session, code="A", name="Trạm Một")
    tower.name = "Trạm Hoàng Diệu"
    session.flush()
    assert found(session, staff, "hoangg dieu") == (["A"], True)


def test_what_is_near_is_looked_for_in_the_readers_territory(session, staff, register) -> None:
    """Neither the towers of others are shown nor whether they have a word."""
    commune = makers.commune(session, name="Xã Lạ", code="91009", box=(104, 9, 104.5, 9.5))
    mine = makers.tower(session, name="Trạm Sóng Tiên", commune=commune)
    local = makers.actor(session, "local_officer", territories=[commune])
    assert found(session, local, "sông tiền") == ([mine.code], False)
    assert found(session, local, "sogn tien") == ([mine.code], True)
    assert found(session, local, "viettle") == ([], False)
    assert found(session, local, "DT-00077") == ([], False)


def test_first_the_code_then_codes_that_begin_so_then_the_others(session, staff) -> None:
    for code, name in (
        ("A-1", "nhắc đến T-77"), ("T-777", "a"), ("T-77", "b"), ("T-7", "không"), ("t-7701", "c"),
    ):  # fmt: skip
        makers.tower(session, code=code, name=name)
    assert found(session, staff, "t-77")[0] == ["T-77", "T-777", "t-7701", "A-1"]
    assert found(session, staff, "T-77")[0] == ["T-77", "T-777", "t-7701", "A-1"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_the_best_matches_hold_each_once(session, staff, limit) -> None:
    for number in range(4):
        makers.tower(session, code=f"T-77{number or ''}")
        makers.tower(session, code=f"A-{number}", name="như T-77")
    asked = queries.understood(session, staff, Filters(q="T-77"))
    whole = lists.towers(session, staff, asked, today=TODAY).rows
    paged, cursor = [], None
    while True:
        page = lists.towers(session, staff, asked, today=TODAY, limit=limit, cursor=cursor)
        paged += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == list(whole) and len(whole) == 8


def test_a_text_that_nobody_has_read_is_a_mistake(session, staff) -> None:
    with pytest.raises(ValueError, match="understood"):
        lists.towers(session, staff, Filters(q="x"), today=TODAY)
