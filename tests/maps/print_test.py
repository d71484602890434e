"""The map on paper: each tower in the frame counted once, in words and numbers that stand beside
it, for whom they are."""

from __future__ import annotations

import html
import io
import math
import re
from random import Random

import pypdfium2
import pytest
import shapely
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from areas.models import Area
from core import clock, store
from core.audit import AuditEntry
from core.exports import Export
from core.geo import Envelope
from core.policy import SYSTEM
from core.settings import ROOT
from maps import drawing, land, services
from maps import printing as printing_sheet
from maps.queries import printing
from maps.queries.printing import Shown
from maps.sheet import PAPERS, framed, mercator
from tests import doors, makers
from tests.maps.tiles import scattered
from towers.models import Tower
from towers.rules import Condition

BOX = "105,10,107,11"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def scene(session: Session) -> list[Tower]:
    """120 towers in two communes, half of them folded into the grid."""
    communes = [
        makers.commune(session, name="Xã Mỹ Thọ", box=(105, 10, 105.5, 11)),
        makers.commune(session, name="Phường Cao Lãnh", box=(105.5, 10, 107, 11)),
    ]
    towers = scattered(session, 60, communes, seed=1)
    services.fold(session, today=clock.today(), zone=clock.zone())
    towers += scattered(session, 60, communes, seed=2)
    session.commit()
    return towers


def words(page: str) -> str:
    """What is read on a page."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def text_of(pdf: bytes) -> str:
    """What is read in a document of one page."""
    with pypdfium2.PdfDocument(pdf) as document:
        assert len(document) == 1
        return document[0].get_textpage().get_text_bounded()


def counts(page: str) -> dict[str, int]:
    """The numbers of the legend, by condition."""
    legend = page.split('<ul class="legend">')[1].split("</ul>")[0]
    return dict(
        zip(Condition, (int(one) for one in re.findall(r"<b>(\d+)</b>", legend)), strict=True)
    )


def drawn(page: str) -> int:
    """How many towers the signs and rings of the drawing stand for."""
    picture = page.split('<svg class="map"')[1].split("</svg>")[0]
    rings = re.findall(r'font-weight="bold" fill="#17232c">(\d+)</text>', picture)
    return picture.count("<use ") + sum(int(one) for one in rings)


def truth(session: Session) -> dict[str, int]:
    today = clock.today()
    found = dict.fromkeys(Condition, 0)
    for one in session.scalars(select(Tower).where(Tower.lifecycle != "dismantled")):
        late = one.condition == "ok" and one.ok_until is not None and one.ok_until < today
        found[Condition.UNCHECKED if late else Condition(one.condition)] += 1
    return found


@pytest.mark.parametrize("most", [0, 20, 400])
@pytest.mark.parametrize("narrowed", ["", "height_from=1"])
def test_every_tower_of_the_frame_is_drawn_once(
    staff: FlaskClient,
    session: Session,
    scene: list[Tower],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    narrowed: str,
) -> None:
    """One by one, in rings with the dangerous beside them, in rings; by the grid and without."""
    monkeypatch.setattr(printing, "MOST_SIGNS", most)
    monkeypatch.setattr(printing, "MOST_DANGEROUS", most)
    monkeypatch.setattr(drawing, "MOST_CODES", 0)
    expected = truth(session)
    assert all(expected.values())
    page = staff.get(f"/map/print?bbox={BOX}&{narrowed}").get_data(as_text=True)
    assert counts(page) == expected
    assert drawn(page) == sum(expected.values())


def test_a_sheet_says_what_it_shows(staff: FlaskClient, session: Session, scene) -> None:
    path = f"/map/print?lang=en&bbox={BOX}&condition=dangerous&commune=x"
    page = staff.get(path).get_data(as_text=True)
    said = words(page)
    number = truth(session)
    total = session.scalar(select(func.count()).select_from(Tower))
    assert f"0 towers drawn here; the filters find 0 of {total}" in said
    for text in (
        "Violation map", "Filters Condition: Dangerous Commune: x", "Natural Earth",
        "Scale about 1 :", clock.today().strftime("As of %d/%m/%Y"),
        "Synthetic boundaries, not the real ones",
        "Xã Mỹ Thọ", "Phường Cao Lãnh", "Hoàng Sa archipelago", "Trường Sa archipelago",
    ):  # fmt: skip
        assert text in said, text
    page = staff.get(path.replace("&commune=x", "")).get_data(as_text=True)
    found = number[Condition.DANGEROUS]
    assert f"{found} towers drawn here; the filters find {found} of {total}" in words(page)
    assert counts(page) == {**dict.fromkeys(Condition, 0), Condition.DANGEROUS: found}
    session.query(Area).update({"synthetic": False})
    session.commit()
    assert "Synthetic" not in words(staff.get(path).get_data(as_text=True))


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_the_document_is_the_page_on_its_paper(
    staff: FlaskClient, session: Session, scene: list[Tower], paper
) -> None:
    """However many filters there are and whoever the agency is, it stays one page."""
    store.set_value(session, "notice_agency", "SỞ KHOA HỌC " * 15, by=SYSTEM, now=clock.now())
    session.commit()
    query = f"paper={paper.key}&lang=en&bbox={BOX}&condition=ok&condition=unchecked&q=T" + "".join(
        f"&commune={number}&service=bts&lifecycle=active&height_from=1&overdue=1"
        for number in range(90_000, 90_040)
    )
    page = staff.get(f"/map/print?{query}").get_data(as_text=True)
    width, height = paper.size
    assert f"@page {{ size: {width}mm {height}mm;" in page
    response = staff.get(f"/map/print.pdf?{query}")
    assert response.mimetype == "application/pdf"
    read = text_of(response.data)
    for text in ("Violation map", "Scale about 1", "Hoàng Sa", "Trường Sa", "Synthetic boundaries"):
        assert text in read, text
    assert response.headers["Export-Id"][:8] in read
    with pypdfium2.PdfDocument(response.data) as document:
        assert [round(one / 72 * 25.4) for one in document[0].get_size()] == [width, height]


def test_what_is_taken_along_is_written_down(
    staff: FlaskClient, session: Session, scene: list[Tower]
) -> None:
    response = staff.get(f"/map/print.png?paper=a4-portrait&bbox={BOX}&condition=dangerous")
    assert response.mimetype == "image/png"
    name = f"ban-do-vi-pham-{clock.today().isoformat()}.png"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    with Image.open(io.BytesIO(response.data)) as picture:
        assert [round(one / 200 * 25.4) for one in picture.size] == [210, 297]
    export = session.scalars(select(Export)).one()
    number = truth(session)[Condition.DANGEROUS]
    assert (export.what, export.format, export.rows) == ("map", "png", number)
    assert response.headers["Export-Id"] == str(export.id)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "map.export")).one()
    assert entry.after["paper"] == "a4-portrait"
    assert "PNG" in staff.get("/exports").get_data(as_text=True)


def test_hostile_names_are_text_on_paper(staff: FlaskClient, session: Session) -> None:
    makers.commune(session, name=makers.CANARY + "<b>", box=(105, 10, 106, 11))
    code = "{{31337*31337}}<'\"&"
    makers.tower(session, code=code, name=makers.HOSTILE, latitude=10.5, longitude=105.5)
    session.commit()
    page = staff.get(f"/map/print?bbox={BOX}").get_data(as_text=True)
    assert html.escape(code).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert "<b>" not in page.split('<svg class="map"')[1].split("</svg>")[0]
    read = text_of(staff.get(f"/map/print.pdf?bbox={BOX}").data)
    assert code in read
    assert makers.CANARY + "<b>" in read
    assert str(31337 * 31337) not in page + read


def test_a_sheet_shows_nobody_more_than_the_map(world: doors.World) -> None:
    whole, own = (
        sum(counts(world[role].get("/map/print").get_data(as_text=True)).values())
        for role in ("staff", "inspector")
    )
    assert 0 < own < whole


def test_without_a_view_the_towers_that_are_found_are_shown(
    staff: FlaskClient, session: Session
) -> None:
    """Even one alone, on any paper; without any, the country."""
    assert counts(staff.get("/map/print").get_data(as_text=True)) == dict.fromkeys(Condition, 0)
    makers.tower(session, code="T-1", latitude=16.2, longitude=107.9)
    session.commit()
    for query in ("paper=a3-landscape", "paper=x&bbox=x", "bbox=7,8,9"):
        page = staff.get(f"/map/print?{query}").get_data(as_text=True)
        assert drawn(page) == 1, query


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_the_scale_is_true_in_the_middle(session: Session, paper) -> None:
    frame = framed(Envelope(105.2, 10.1, 105.9, 10.9), paper.frame)
    (left, top), (right, bottom) = (
        frame.at(*mercator(*corner)) for corner in ((105.2, 10.9), (105.9, 10.1))
    )
    assert left >= -1e-6 and top >= -1e-6
    assert right <= frame.width + 1e-6 and bottom <= frame.height + 1e-6
    assert math.isclose((frame.north - frame.south) / frame.unit, frame.height)
    metres, long = frame.bar
    middle = (frame.south + frame.north) / 2
    ends = [
        func.geography(
            func.ST_Transform(
                func.ST_SetSRID(func.ST_MakePoint(frame.west + x * frame.unit, middle), 3857), 4326
            )
        )
        for x in (20, 20 + long)
    ]
    measured = session.scalar(select(func.ST_Distance(*ends)))
    assert measured == pytest.approx(metres, rel=0.01)


def test_no_sign_hides_another() -> None:
    random = Random(7)
    towers = [
        Shown(random.uniform(0, 90), random.uniform(0, 90), {random.choice(list(Condition)): 1})
        for _ in range(150)
    ]
    marks = drawing.marks(towers, written=str)
    numbers = [1 if one.condition else int(one.text) for one in marks]
    assert sum(numbers) == 150
    assert 10 < sum(not one.condition for one in marks) < len(marks)
    for place, one in enumerate(marks):
        for other in marks[place + 1 :]:
            away = math.hypot(one.x - other.x, one.y - other.y)
            # The number in the middle of a ring, and the heart of a sign, are always seen.
            assert away > 0.9 * max(one.radius, other.radius), (one, other)


def test_codes_and_names_stand_where_there_is_room() -> None:
    marks = [
        drawing.Mark(x, 20, drawing.SIGN, Condition.OK, code=f"DT-{x}") for x in (10, 16, 22, 60)
    ]
    labels = drawing.Writing(marks, 70, 40).codes(marks)
    assert {one.text for one in labels} == {one.code for one in marks}
    boxes = [one.box for one in (*labels, *marks)]
    for place, one in enumerate(boxes):
        assert one[0] >= 0 and one[2] <= 70
        assert not any(drawing._meet(one, other) for other in boxes[place + 1 :])
    crowd = [drawing.Mark(x, 20, 1, Condition.OK, code="X") for x in range(100)]
    assert drawing.Writing(crowd, 100, 40).codes(crowd) == []


def test_land_and_sea_are_told_apart_where_coasts_cross_180_degrees() -> None:
    def is_land(latitude: float, longitude: float) -> bool:
        point = shapely.Point(mercator(longitude, latitude))
        return any(one.covers(point) for one in land._land())

    for place in ((66.5, -173), (65.5, -155), (60, -110), (10.5, 105.6), (-85, 0)):
        assert is_land(*place), place
    for place in ((71.2, -140), (70.9, -170), (67.5, -168), (55, -150), (9.6, 113.3)):
        assert not is_land(*place), place
    frame = framed(Envelope(105, 10, 106, 11), (100, 100))
    assert land.land_path(frame).startswith("M")
    assert land.land_path(framed(Envelope(111, 15, 112, 16), (100, 100))) == ""


def test_filters_have_as_many_lines_as_there_is_room_for() -> None:
    long = ("Commune", ", ".join(str(number) for number in range(90_000, 90_050)))
    few = [("Search", "T"), long, ("Only overdue", "Yes")]
    (_, search), (what, value), (_, overdue) = printing_sheet.said(few, 6)
    assert (search, what, overdue) == ("T", "Commune", "Yes")
    assert value.endswith("…")
    assert len(f"{what}: {value}") <= 38 * 4 + 2
    assert printing_sheet.said([long] * 9, 6)[-1] == ("…", "")
    assert len(printing_sheet.said([long] * 9, 6)) <= 6
    assert printing_sheet.said(few[:1], 6) == few[:1]


def test_signs_are_those_of_the_screen() -> None:
    symbols = (ROOT / "core" / "assets" / "conditions.svg").read_text(encoding="utf-8")
    assert set(printing_sheet.signs()) == set(Condition)
    assert all(shapes in symbols for shapes in printing_sheet.signs().values())
