"""The official record of a visit: opened again as DOCX and PDF, it says what the visit says."""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
from docx import Document

from core.files import FileStore
from core.pictures import read_picture
from inspections import minutes
from inspections.services.circumstances import Circumstances, Instrument
from inspections.services.signatures import sign
from tests import makers
from tests.doors import answered, client_of
from tests.doors import visit as api_visit
from tests.inspections.visits import (
    FIXED,
    MAJOR,
    NOW,
    correct,
    inspected,
    passing,
    photograph,
    picture,
    published,
    record,
    visit,
)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path, max_bytes=1_000_000, max_pixels=1_000_000)


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def inspection(app, session, inspector, store):
    """A whole visit with a defect, a photo, a meter and a drawn signature, by hostile names."""
    published(session)
    tower = makers.tower(session, code="DT-00077", name=makers.HOSTILE)
    answers = {
        **passing(tower),
        **MAJOR,
        "sit_sign": {"outcome": "not_checked", "reason": "Cổng <khóa>"},
    }
    said = Circumstances(
        team=("Nguyễn Thị Ánh – chuyên viên", makers.HOSTILE),
        representative="Ông Lê Công, quản lý trạm",
        weather="rain",
        verdict="needs_follow_up",
        started_at=NOW - timedelta(hours=1),
        ended_at=NOW,
        instruments=(Instrument("Kyoritsu 4105A", "W0123", NOW.date()),),
    )
    draft = record(session, tower, visit(answers, submit=False, circumstances=said), by=inspector)
    photograph(session, draft, "clb_ladder", store.folder, by=inspector)
    made = correct(session, draft, visit(answers, circumstances=said, note="Gió"), by=inspector)
    drawn = read_picture(io.BytesIO(picture((10, 20, 60))), store)
    sign(session, uuid.uuid4(), made, place="representative", name="Lê Công", drawn=drawn,
         store=store, by=inspector, now=NOW)  # fmt: skip
    return made


SAID = (
    "BIÊN BẢN KIỂM TRA",
    "DT-00077",
    "Nguyễn Thị Ánh – chuyên viên",
    "Ông Lê Công, quản lý trạm",
    "Mưa",
    "Kyoritsu 4105A",
    "23/11/2026",
    "Cổng <khóa>",
    "Không đạt (lớn)",
    "Có tồn tại cần khắc phục",
    "{{31337*31337}}",
)


def paragraphs(content: bytes) -> str:
    document = Document(io.BytesIO(content))
    cells = (cell for table in document.tables for row in table.rows for cell in row.cells)
    return "\n".join([*(one.text for one in document.paragraphs), *(cell.text for cell in cells)])


def pages(content: bytes) -> str:
    return "\n".join(
        page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(content)
    )


def test_the_docx_says_what_the_visit_says(app, session, inspection, store) -> None:
    with app.test_request_context():
        made = minutes.docx(session, inspection, store)
    text = paragraphs(made)
    assert [one for one in SAID if one not in text] == []
    assert "982007569" not in text
    assert "{%" not in text.replace("{% x %}", "")
    media = [name for name in zipfile.ZipFile(io.BytesIO(made)).namelist() if "media/" in name]
    assert len(media) == 2
    assert len(Document(io.BytesIO(made)).tables[1].rows) == len(inspection.answers) + 1


def test_the_pdf_says_what_the_visit_says(app, session, inspection, store) -> None:
    with app.test_request_context():
        made = minutes.pdf(session, inspection, store)
    text = pages(made).replace("\r\n", " ").replace("\n", " ")
    assert [one for one in SAID if one not in text] == []
    assert "982007569" not in text


def test_a_reinspection_says_what_was_fixed(app, session, inspection, inspector, store) -> None:
    again = inspected(session, inspection.tower, by=inspector, kind="reinspection", only=FIXED,
                      now=NOW + timedelta(days=3))  # fmt: skip
    with app.test_request_context():
        text = paragraphs(minutes.docx(session, again, store))
    assert "BIÊN BẢN PHÚC TRA" in text
    assert "Đã khắc phục" in text


def test_a_correction_is_not_signed_by_an_older_signature(
    app, session, inspection, inspector, store
) -> None:
    correct(session, inspection, visit(passing(inspection.tower)), by=inspector)
    with app.test_request_context():
        text = paragraphs(minutes.docx(session, inspection, store))
    assert "Lê Công" not in text.replace("Ông Lê Công", "")


def test_over_the_web_in_vietnamese_for_every_reader(app, session) -> None:
    published(session)
    makers.tower(session, code="T-1")
    client = client_of(app, session, makers.user(session, "inspector"))
    number = str(uuid.uuid4())
    draft = api_visit("T-1", id=number, submit=False)
    answered(client.post("/api/v1/inspections", json=draft), 201)
    assert client.get(f"/inspections/{number}/record.pdf").status_code == 409
    tag = {"If-Match": '"v1"'}
    answered(client.put(f"/api/v1/inspections/{number}", json=api_visit("T-1"), headers=tag), 200)
    client.set_cookie("language", "en")
    word = client.get(f"/inspections/{number}/record.docx")
    assert word.headers["Content-Disposition"].startswith("attachment; filename=bien-ban-T-1-")
    assert "Kiểm tra định kỳ" in paragraphs(word.data)
    paper = client.get(f"/inspections/{number}/record.pdf")
    assert (paper.mimetype, paper.data[:5]) == ("application/pdf", b"%PDF-")
