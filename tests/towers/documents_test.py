"""Documents of a tower: whole or absent, of a known type, handed out and never run, never lost."""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from tests import doors, makers
from tests.core.file_types_test import GOOD
from tests.doors import PDF, answered, refused, send_document
from towers.doors import document_store
from towers.models import Document, Tower


@pytest.fixture
def tower(session: Session) -> Tower:
    made = makers.tower(session, code="TL-1", commune=makers.commune(session))
    session.commit()
    return made


@pytest.fixture
def staff(sign_in) -> FlaskClient:
    return sign_in("staff")


def test_a_document_is_kept_whole_with_what_is_known_of_it(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient
) -> None:
    number = uuid.uuid4()
    digest = hashlib.sha256(PDF)
    response = send_document(
        staff, number, tower="TL-1", title="Giấy phép 12", sha256=digest.hexdigest()
    )
    made = answered(response, 201)
    assert response.headers["Location"] == f"/api/v1/documents/{number}"
    assert (made["tower"], made["kind"], made["title"], made["filename"], made["size"]) == (
        "TL-1", "permit", "Giấy phép 12", "giay phep.pdf", len(PDF),
    )  # fmt: skip
    assert document_store().path(digest.digest()).read_bytes() == PDF
    listed = answered(staff.get("/api/v1/documents?tower=TL-1"), 200)
    assert listed["items"] == [made]
    page = staff.get("/towers/TL-1").get_data(as_text=True)
    assert "Giấy phép 12" in page
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "document.add")).one()
    assert (entry.object_id, entry.after["document"]) == (str(tower.id), "Giấy phép 12")


def test_sending_again_is_harmless_and_another_file_conflicts(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient
) -> None:
    number = uuid.uuid4()
    first = answered(send_document(staff, number, tower="TL-1"), 201)
    assert answered(send_document(staff, number, tower="TL-1"), 200) == first
    refused(send_document(staff, number, tower="TL-1", content=PDF + b"\n"), 409)
    other = makers.tower(session, code="TL-2")
    session.commit()
    refused(send_document(staff, number, tower=other.code), 409)
    assert session.scalar(select(func.count()).select_from(Document)) == 1


@pytest.mark.parametrize("ending", sorted(GOOD))
def test_a_file_is_handed_out_as_what_it_is(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient, ending: str
) -> None:
    made = answered(
        send_document(staff, tower="TL-1", content=GOOD[ending], name=f"Bản vẽ “1”.{ending}"), 201
    )
    response = staff.get(made["file"])
    assert response.status_code == 200
    headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "private" in headers["Cache-Control"]
    if made["thumbnail"]:
        assert response.mimetype == "image/jpeg"
        assert headers["Content-Disposition"].startswith("inline")
        assert staff.get(made["thumbnail"]).mimetype == "image/jpeg"
    else:
        assert response.data == GOOD[ending]
        assert response.mimetype == made["media_type"]
        assert headers["Content-Disposition"].startswith("attachment")
        assert "B%E1%BA%A3n" in headers["Content-Disposition"]
        assert staff.get(made["file"].replace("full", "thumbnail")).status_code == 404
    assert staff.get(made["file"].replace("full", "original")).status_code == 404


def test_a_served_picture_hides_nothing_and_keeps_its_size(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret camera"
    out = io.BytesIO()
    Image.new("RGBA", (3000, 40), (0, 0, 0, 0)).save(out, "PNG", exif=exif)
    made = answered(send_document(staff, tower="TL-1", content=out.getvalue(), name="x.png"), 201)
    served = staff.get(made["file"]).data
    assert b"Secret" not in served
    with Image.open(io.BytesIO(served)) as image:
        assert image.size == (3000, 40)
        # What was transparent is paper.
        assert image.getpixel((5, 5)) == (255, 255, 255)
    assert document_store().path(bytes.fromhex(made["sha256"])).read_bytes() == out.getvalue()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("hồ sơ\u202efdp.pdf", "hồ sơfdp.pdf"),
        ("a\x07b.pdf", "ab.pdf"),
        ("y" * 400 + ".pdf", "y" * 196 + ".pdf"),
    ],
)
def test_a_hostile_name_is_only_a_name(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient, name: str, shown: str
) -> None:
    made = answered(send_document(staff, tower="TL-1", name=name), 201)
    assert made["filename"] == shown
    assert staff.get(made["file"]).status_code == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"content": b""}, 422),
        ({"content": b"not a pdf"}, 415),
        ({"name": "x.exe"}, 415),
        ({"name": ".pdf"}, 415),
        ({"kind": "poem"}, 422),
        ({"title": "x" * 301}, 422),
        ({"sha256": "zz"}, 422),
        ({"sha256": "00" * 32}, 422),
        ({"tower": "KHONG-CO"}, 404),
        ({"tower": "a\x00b"}, 404),
        ({"tower": ""}, 422),
        ({"proposal": str(uuid.uuid4())}, 422),
        ({"tower": "", "proposal": str(uuid.uuid4())}, 404),
        ({"tower": "", "proposal": "x"}, 422),
        ({"id": "x"}, 422),
        ({"name": "x.jpg", "content": doors.picture()[:200]}, 422),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_nothing(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient, change, status
) -> None:
    before = doors.counts(session)
    files = list(document_store().folder.rglob("*"))
    fields = {"tower": "TL-1", **change}
    number = fields.pop("id", None)
    refused(send_document(staff, number, **fields), status)
    assert doors.counts(session) == before
    assert list(document_store().folder.rglob("*")) == files


def test_a_document_that_is_too_large_is_refused(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient
) -> None:
    usual = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(usual, max_document_bytes=1000)
    try:
        refused(send_document(staff, tower="TL-1", content=PDF + b"x" * 1000), 413)
        answered(send_document(staff, tower="TL-1"), 201)
    finally:
        app.config["SETTINGS"] = usual


def test_a_removed_document_is_out_of_sight_and_not_gone(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient, sign_in
) -> None:
    made = answered(send_document(staff, tower="TL-1", title="Nhầm trụ"), 201)
    path = f"/api/v1/documents/{made['id']}"
    reader = sign_in("inspector")
    refused(reader.post(f"{path}/removal", json={"reason": "x"}), 403)
    for wrong in ({}, {"reason": ""}, {"reason": "x" * 1001}, {"reason": " "}):
        refused(staff.post(f"{path}/removal", json=wrong), 422)
    removed = answered(staff.post(f"{path}/removal", json={"reason": "của trụ khác"}), 200)
    assert removed["removed"]["reason"] == "của trụ khác"
    refused(staff.post(f"{path}/removal", json={"reason": "lần nữa"}), 409)
    assert answered(staff.get("/api/v1/documents?tower=TL-1"), 200)["items"] == []
    refused(reader.get(path), 404)
    refused(reader.get(made["file"]), 404)
    assert staff.get(made["file"]).data == PDF
    assert (
        "Nhầm trụ"
        not in reader.get("/towers/TL-1").get_data(as_text=True).split('class="timeline"')[0]
    )
    assert "của trụ khác" in staff.get("/towers/TL-1").get_data(as_text=True)


def test_a_document_of_a_foreign_tower_is_not_there(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient, sign_in
) -> None:
    made = answered(send_document(staff, tower="TL-1"), 201)
    away = makers.commune(session, box=(106.0, 10.0, 107.0, 11.0))
    foreign = sign_in("inspector", territories=[away])
    refused(foreign.get(f"/api/v1/documents/{made['id']}"), 404)
    refused(foreign.get(made["file"]), 404)
    refused(foreign.get("/api/v1/documents?tower=TL-1"), 404)
    refused(send_document(foreign, tower="TL-1"), 404)


def test_the_page_adds_and_removes_without_a_script(
    app: Flask, session: Session, tower: Tower, staff: FlaskClient
) -> None:
    def send(**fields):
        data = {"id": str(uuid.uuid4()), "kind": "drawing", "title": "Bản vẽ móng", **fields}
        return staff.post("/towers/TL-1/documents", data=data)

    assert send(file=(io.BytesIO(PDF), "x.pdf")).headers["Location"].endswith("#documents")
    session.commit()
    made = session.scalars(select(Document)).one()
    assert (made.kind, made.title) == ("drawing", "Bản vẽ móng")
    for wrong in ({"file": (io.BytesIO(b"x"), "x.pdf")}, {}, {"id": "x"}):
        assert send(**wrong).status_code == 302
    session.commit()
    assert session.scalar(select(func.count()).select_from(Document)) == 1
    path = f"/documents/{made.id}/remove"
    assert staff.post(path, data={"reason": ""}).status_code == 302
    session.refresh(made)
    assert made.removed_at is None
    assert staff.post(path, data={"reason": "cũ"}).status_code == 302
    session.refresh(made)
    assert made.removed_reason == "cũ"


@pytest.mark.parametrize("column", ["sha256", "title", "proposal_id", "received_at"])
def test_the_application_cannot_change_what_a_document_is(
    app: Flask, session: Session, column: str
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text(f"UPDATE document SET {column} = {column}"))
