"""A follow-up list that comes back filled in: claims after a preview, never a closure."""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.policy import SYSTEM
from inspections.models import Violation, ViolationEvent
from inspections.rules.violation import EventKind
from inspections.services import steps
from inspections.services.assessments import request_assessment
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections.visits import MAJOR, MINOR, inspected, published


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def towers(session: Session):
    """Three towers with a notified violation each, and one whose owner knows of nothing yet."""
    published(session)
    inspector = makers.actor(session, "inspector")
    made = [makers.tower(session, code=f"TRA-{number}") for number in range(4)]
    for tower in made:
        inspected(session, tower, by=inspector, **MAJOR)
    for tower in made[:3]:
        notify(session, of(session, tower))
    session.commit()
    return made


def of(session: Session, tower) -> Violation:
    return session.scalars(select(Violation).where(Violation.tower_id == tower.id)).one()


def take(session: Session, violation: Violation, kind: EventKind, **facts: Any) -> None:
    steps.take_step(
        session, violation, steps.Step(kind, **facts),
        by=SYSTEM, now=clock.now(), today=clock.today(),
    )  # fmt: skip


def notify(session: Session, violation: Violation) -> None:
    take(session, violation, EventKind.CONFIRMED)
    take(session, violation, EventKind.NOTIFIED)


class Sheet:
    """An exported list in somebody's spreadsheet."""

    def __init__(self, client: FlaskClient, **query: str) -> None:
        response = client.get("/follow-up.xlsx", query_string={"lang": "vi", **query})
        assert response.status_code == 200
        self.number = response.headers["Export-Id"]
        self.book = openpyxl.load_workbook(io.BytesIO(response.data))
        self.list = self.book.worksheets[0]
        self.heads = {cell.value: cell.column for cell in self.list[1]}

    def row(self, code: str) -> int:
        return next(
            row for row in range(2, self.list.max_row + 1) if self.list.cell(row, 1).value == code
        )

    def fill(self, code: str, done: Any = "x", done_on: Any = None, remark: Any = None) -> None:
        row = self.row(code)
        for head, value in (
            ("Đã khắc phục (x)", done),
            ("Ngày khắc phục", done_on),
            ("Ghi chú khắc phục", remark),
        ):
            self.list.cell(row, self.heads[head]).value = value

    def put(self, code: str, head: str, value: Any) -> None:
        self.list.cell(self.row(code), self.heads[head]).value = value

    def content(self) -> bytes:
        out = io.BytesIO()
        self.book.save(out)
        return out.getvalue()


def send(client: FlaskClient, content: bytes, name: str = "theo doi.xlsx", **fields: str):
    return client.post(
        "/api/v1/follow-up/returned", data={"file": (io.BytesIO(content), name), **fields}
    )


def looked_at(client: FlaskClient, sheet: Sheet) -> dict[str, Any]:
    return answered(send(client, sheet.content()), 200)


def said(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["tower"]: (one["verdict"], one["reason"]) for one in found["rows"]}


def stages(session: Session) -> dict[str, str]:
    session.expire_all()
    return {one.tower.code: one.stage for one in session.scalars(select(Violation))}


def test_a_filled_row_becomes_a_claim_and_never_a_closure(
    staff: FlaskClient, session: Session, towers
) -> None:
    sheet = Sheet(staff)
    today = clock.today().strftime("%d/%m/%Y")
    sheet.fill("TRA-0", done_on=clock.today(), remark="đã sơn lại")
    sheet.fill("TRA-1", done="có", done_on=today)
    before = doors.counts(session)
    found = looked_at(staff, sheet)
    assert doors.counts(session) == before
    assert found["export"] == sheet.number
    assert (found["written"], found["untouched"]) == (False, 2)
    assert {code: one[0] for code, one in said(found).items()} == {"TRA-0": "new", "TRA-1": "new"}
    answered(send(staff, sheet.content(), seen=found["digest"]), 200)
    assert stages(session) == {
        "TRA-0": "claimed", "TRA-1": "claimed", "TRA-2": "notified", "TRA-3": "found",
    }  # fmt: skip
    last = session.scalars(
        select(ViolationEvent)
        .where(ViolationEvent.violation_id == of(session, towers[0]).id)
        .order_by(ViolationEvent.id.desc())
    ).first()
    assert last is not None
    assert (last.kind, last.by_id is not None) == ("claimed_fixed", True)
    assert last.reason == f"Theo danh sách gửi lại, khắc phục ngày {today}: đã sơn lại"
    assert all(one.state == "open" for one in session.scalars(select(Violation)))


def test_the_same_file_again_changes_nothing(staff: FlaskClient, session: Session, towers) -> None:
    sheet = Sheet(staff)
    sheet.fill("TRA-0", remark="xong")
    first = looked_at(staff, sheet)
    answered(send(staff, sheet.content(), seen=first["digest"]), 200)
    before = doors.counts(session)
    again = looked_at(staff, sheet)
    assert said(again) == {"TRA-0": ("same", "")}
    answered(send(staff, sheet.content(), seen=again["digest"]), 200)
    assert doors.counts(session) == before


def test_what_is_wrong_with_a_row_is_named(staff: FlaskClient, session: Session, towers) -> None:
    owner_knows_nothing = "TRA-3"
    sheet = Sheet(staff)
    for code in ("TRA-0", "TRA-1", "TRA-2", owner_knows_nothing):
        sheet.fill(code)
    sheet.put("TRA-0", "Dòng", str(uuid.uuid4()))
    sheet.list.cell(sheet.row("TRA-1"), 1).value = "TRA-9"
    sheet.fill("TRA-2", done_on=clock.today() + timedelta(days=1))
    found = looked_at(staff, sheet)
    assert said(found) == {
        "TRA-0": ("wrong", "Không có vi phạm mang mã này trong địa bàn của bạn"),
        "TRA-9": ("wrong", "Mã của dòng thuộc cột TRA-1: các ô đã bị lẫn lộn"),
        "TRA-2": ("wrong", "Ngày khắc phục nằm trong tương lai"),
        "TRA-3": ("wrong", "Chưa thông báo cho chủ sở hữu: phải thông báo trước"),
    }


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"done": None, "remark": "sắp làm"}, "hãy ghi x"),
        ({"done": "một nửa"}, "“một nửa”"),
        ({"done": "x", "done_on": "hôm qua"}, "“hôm qua” không phải là ngày"),
        ({"done": "x", "done_on": "31/02/2026"}, "không phải là ngày"),
        ({"done": "x", "done_on": "1/1/2020"}, "trước khi phát hiện"),
        ({"done": "x", "remark": "a" * 2001}, "quá dài"),
        ({"done": "=1+1"}, None),
    ],
    ids=str,
)
def test_a_cell_that_says_nothing_clear_is_refused(
    staff: FlaskClient, session: Session, towers, cells: dict[str, Any], reason: str | None
) -> None:
    sheet = Sheet(staff)
    sheet.fill("TRA-0", **cells)
    found = looked_at(staff, sheet)
    if reason is None:
        # A formula has no value that anybody computed.
        assert (found["rows"], found["untouched"]) == ([], 4)
        return
    ((verdict, text),) = said(found).values()
    assert verdict == "wrong"
    assert reason in text


def test_a_row_twice_and_an_assessment_are_named(
    staff: FlaskClient, session: Session, towers
) -> None:
    waiting = makers.tower(session, code="DANH-GIA")
    request_assessment(
        session, waiting, reason="rung", by=SYSTEM, now=clock.now(), today=clock.today()
    )
    session.commit()
    sheet = Sheet(staff)
    sheet.fill("DANH-GIA")
    sheet.fill("TRA-0")
    row = sheet.row("TRA-0")
    sheet.list.append([cell.value for cell in sheet.list[row]])
    found = looked_at(staff, sheet)
    reasons = [one["reason"] for one in found["rows"]]
    assert any("Đánh giá an toàn chịu lực" in one for one in reasons)
    assert any(f"dòng {row}" in one for one in reasons)
    assert sorted(one["verdict"] for one in found["rows"]) == ["new", "wrong", "wrong"]


def test_what_happened_since_the_export_overtakes_it(
    staff: FlaskClient, session: Session, towers
) -> None:
    sheet = Sheet(staff)
    for code in ("TRA-0", "TRA-1", "TRA-2"):
        sheet.fill(code, remark="xong")
    inspector = makers.actor(session, "inspector")
    # Seen once more, claimed by another way; the notice of the third was only served meanwhile.
    inspected(session, towers[0], by=inspector, now=clock.now(), **MAJOR, **MINOR)
    take(session, of(session, towers[1]), EventKind.CLAIMED_FIXED, reason="gọi điện")
    take(session, of(session, towers[2]), EventKind.SERVED, party="Ông Ba")
    session.commit()
    found = said(looked_at(staff, sheet))
    assert {code: one[0] for code, one in found.items()} == {
        "TRA-0": "wrong", "TRA-1": "wrong", "TRA-2": "new",
    }  # fmt: skip
    assert "đã thay đổi" in found["TRA-0"][1]


def test_nothing_else_is_written_than_what_was_looked_at(
    staff: FlaskClient, session: Session, towers
) -> None:
    sheet = Sheet(staff)
    sheet.fill("TRA-0")
    found = looked_at(staff, sheet)
    sheet.fill("TRA-1")
    before = doors.counts(session)
    problem = refused(send(staff, sheet.content(), seen=found["digest"]), 409)
    assert "look at it again" in problem["detail"] or "xem lại" in problem["detail"]
    assert doors.counts(session) == before


def test_with_a_wrong_row_only_the_good_ones_on_request(
    staff: FlaskClient, session: Session, towers
) -> None:
    sheet = Sheet(staff)
    sheet.fill("TRA-0")
    sheet.fill("TRA-3")
    found = looked_at(staff, sheet)
    refused(send(staff, sheet.content(), seen=found["digest"]), 409)
    assert stages(session)["TRA-0"] == "notified"
    answered(send(staff, sheet.content(), seen=found["digest"], good_rows="1"), 200)
    assert stages(session) == {
        "TRA-0": "claimed", "TRA-1": "notified", "TRA-2": "notified", "TRA-3": "found",
    }  # fmt: skip


def test_a_foreign_tower_is_as_if_it_were_not_there(
    app: Flask, staff: FlaskClient, session: Session, towers
) -> None:
    commune = makers.commune(session)
    towers[0].commune_id = commune.id
    local = doors.client_of(app, session, makers.user(session, "staff", territories=[commune]))
    sheet = Sheet(staff)
    sheet.fill("TRA-0")
    sheet.fill("TRA-1")
    found = said(answered(send(local, sheet.content()), 200))
    assert found["TRA-0"][0] == "new"
    assert found["TRA-1"] == ("wrong", "Không có vi phạm mang mã này trong địa bàn của bạn")


def test_a_workbook_that_is_no_export_is_refused(
    staff: FlaskClient, session: Session, towers
) -> None:
    sheet = Sheet(staff)
    sheet.fill("TRA-0")
    del sheet.book[sheet.book.sheetnames[1]]
    assert "lần xuất" in refused(send(staff, sheet.content()), 422)["detail"]
    other = Sheet(staff)
    about = other.book.worksheets[1]
    for row in about.iter_rows():
        if row[1].value == other.number:
            row[1].value = str(uuid.uuid4())
    assert "không phải" in refused(send(staff, other.content()), 422)["detail"]
    bare = Sheet(staff)
    bare.list.delete_cols(bare.heads["Dòng"])
    assert "Dòng" in refused(send(staff, bare.content()), 422)["detail"]
    refused(send(staff, sheet.content(), name="theo doi.csv"), 415)
    refused(send(staff, b"PK\x03\x04 nothing"), [415, 422])
    refused(staff.post("/api/v1/follow-up/returned", data={}), 422)


def test_a_harmful_workbook_is_refused(staff: FlaskClient, session: Session, towers) -> None:
    sheet = Sheet(staff)
    bomb = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sheet.content())) as old,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "xl/worksheets/sheet1.xml":
                content = b'<!DOCTYPE x [<!ENTITY a "b">]>' + content
            new.writestr(member.filename, content)
    before = doors.counts(session)
    refused(send(staff, bomb.getvalue()), 422)
    assert doors.counts(session) == before


def test_the_pages_walk_the_same_way(app: Flask, session: Session, towers) -> None:
    person = doors.with_password(session, "staff")
    browser = doors.signed_in(app, person.email)
    sheet = Sheet(browser)
    sheet.fill("TRA-0", remark="<b>xong</b>")
    sheet.fill("TRA-3")
    form = browser.get("/follow-up/return").get_data(as_text=True)
    token = doors.csrf_of(form)
    data = {"csrf_token": token, "file": (io.BytesIO(sheet.content()), "ds.xlsx")}
    page = browser.post("/follow-up/return", data=data).get_data(as_text=True)
    assert "&lt;b&gt;xong&lt;/b&gt;" in page
    action = page[page.index('action="/follow-up/return/') + 8 :].split('"')[0]
    seen = page[page.index('name="seen" value="') + 19 :].split('"')[0]
    refusal = browser.post(action, data={"csrf_token": token, "seen": seen})
    assert refusal.status_code == 409
    done = browser.post(action, data={"csrf_token": token, "seen": seen, "good_rows": "1"})
    assert (done.status_code, done.location) == (302, "/follow-up?stage=claimed")
    assert stages(session)["TRA-0"] == "claimed"
    # The file is gone with it.
    assert browser.post(action, data={"csrf_token": token, "seen": seen}).status_code == 404


def test_an_inspector_claims_nothing(app: Flask, session: Session, towers) -> None:
    client = doors.client_of(app, session, makers.user(session, "inspector"))
    refused(send(client, b"x"), 403)
    number = session.scalar(select(func.count()).where(ViolationEvent.kind == "claimed_fixed"))
    assert number == 0
