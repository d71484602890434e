"""Documents of notices: what stands in them, kept as they left, and their template."""

from __future__ import annotations

import hashlib
import io
import zipfile

import docx
import pypdfium2
import pytest
from PIL import Image
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE as IMAGE

from core import confined, documents, documents_word
from core.errors import Invalid
from inspections.rules.notice import DocumentForm
from inspections.services import notice_documents, notice_map, notice_template
from tests import makers
from tests.canary_test import TEXTS
from tests.inspections import noticed
from tests.inspections.visits import NOW


@pytest.fixture
def case(session, tmp_path):
    return noticed.case(session, tmp_path, name="Trạm Thường Phước")


def kept(case, notice, form) -> bytes:
    (one,) = (one for one in notice.documents if one.form == form)
    return case.press.notices.path(one.sha256).read_bytes()


def words(content: bytes) -> str:
    """Everything that a Word document says, tables included."""
    document = docx.Document(io.BytesIO(content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(one.text for one in document.paragraphs), *cells])


def read(content: bytes) -> str:
    pdf = pypdfium2.PdfDocument(content)
    return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def squeezed(text: str) -> str:
    """Without what depends on where lines end: blanks, and hyphens, which PDF drops there."""
    return "".join(text.split()).translate(dict.fromkeys(map(ord, "-\u00ad\ufffe\x02")))


def test_both_documents_say_what_the_notice_says(session, case) -> None:
    notice, token = noticed.issued(session, case, note="Đề nghị cử người phối hợp.")
    for text in (words(kept(case, notice, "docx")), read(kept(case, notice, "pdf"))):
        squeezed_text = squeezed(text)
        for part in (
            "Số: 01/TB-SKHCN", "ngày 23 tháng 11 năm 2026", f"Kính gửi: {case.owner.name}",
            "Trạm Thường Phước", case.tower.code, "Thang leo, sàn công tác, lan can chắc chắn",
            "Mức độ: Nghiêm trọng", "Khuyến nghị kỹ thuật", "23/12/2026",
            "Đề nghị cử người phối hợp.", f"{noticed.ADDRESS}/n/{token}", "21/02/2027",
            "Điều 40 Nghị định số 06/2021/NĐ-CP", case.issuer.name or case.issuer.email,
        ):  # fmt: skip
            assert squeezed(part) in squeezed_text, part
        assert "DỰTHẢO" not in squeezed_text


def test_both_have_the_map_the_photo_and_the_code_of_the_link(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    names = zipfile.ZipFile(io.BytesIO(kept(case, notice, "docx"))).namelist()
    assert len([name for name in names if name.startswith("word/media/")]) == 3
    pages = pypdfium2.PdfDocument(kept(case, notice, "pdf"))
    assert sum(len(list(page.get_objects([IMAGE]))) for page in pages) == 3


def test_issued_documents_are_the_bytes_that_left(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    before = {one.form: kept(case, notice, one.form) for one in notice.documents}
    for one in notice.documents:
        content = before[one.form]
        assert (hashlib.sha256(content).digest(), len(content)) == (one.sha256, one.byte_size)
    case.tower.name = "Tên khác"
    case.owner.name = "Chủ khác"
    session.flush()
    assert {one.form: kept(case, notice, one.form) for one in notice.documents} == before


def test_a_draft_says_that_it_is_one(session, case) -> None:
    notice = noticed.drafted(session, case)
    made = notice_documents.documents(session, notice, link="https://x/n/…", press=case.press)
    assert "DỰ THẢO" in words(made[DocumentForm.DOCX])
    assert "DỰTHẢO" in squeezed(read(made[DocumentForm.PDF]))
    assert "…/TB-SKHCN" in words(made[DocumentForm.DOCX])


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_hostile_text_stays_text(session, tmp_path, kind) -> None:
    bad = TEXTS[kind]
    case = noticed.case(session, tmp_path, name=bad, owner=bad[:200])
    notice = noticed.drafted(session, case, note=bad)
    made = notice_documents.documents(session, notice, link="https://x/n/…", press=case.press)
    text = words(made[DocumentForm.DOCX])
    assert text.count(bad.strip()) >= 3
    assert str(31337 * 31337) not in text + read(made[DocumentForm.PDF])


def test_the_map_shows_the_commune_and_each_place_once(session) -> None:
    here = makers.commune(session, code="91002", box=(105.0, 10.0, 106.0, 11.0))
    tower = makers.tower(session, commune=here)
    alone = makers.tower(session)
    one = notice_map.draw(session, [notice_map.Place("1", tower), notice_map.Place("2", tower)])
    image = Image.open(io.BytesIO(one))
    assert image.size == (notice_map.WIDTH, notice_map.HEIGHT)
    colours = {colour for _, colour in image.convert("RGB").getcolors(2**20)}
    assert {(0xEE, 0xF3, 0xEE), (0xB3, 0x26, 0x1E)} <= colours
    bare = Image.open(io.BytesIO(notice_map.draw(session, [notice_map.Place("1", alone)])))
    assert (0xEE, 0xF3, 0xEE) not in {c for _, c in bare.convert("RGB").getcolors(2**20)}


# The department's own template.


def template(*paragraphs: str) -> bytes:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def upload(session, case, content: bytes, name: str = "mau.docx"):
    store = case.press.notices
    with store.arriving(io.BytesIO(content)) as arrival:
        return notice_template.replace_template(
            session, arrival, name, kept=store, by=case.issuer, now=NOW
        )


def test_notices_are_made_from_the_departments_template(session, case) -> None:
    text = "Gửi {{ owner }}: {% for one in violations %}[{{ one.defect }}]{% endfor %}"
    upload(session, case, template(text))
    notice, _ = noticed.issued(session, case)
    assert f"Gửi {case.owner.name}: [" in words(kept(case, notice, "docx"))
    assert notice_template.retire_template(session, by=case.issuer, now=NOW)
    assert not notice_template.retire_template(session, by=case.issuer, now=NOW)
    assert notice_documents.template_of(session, case.press.notices) == notice_template.shipped()


def test_the_shipped_template_passes_its_own_check(session, case) -> None:
    upload(session, case, notice_template.shipped())


def changed(part: str, old: bytes, new: bytes) -> bytes:
    """The shipped template with something put into one of its parts."""
    out = io.BytesIO()
    shipped = zipfile.ZipFile(io.BytesIO(notice_template.shipped()))
    with shipped as parts, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in parts.namelist():
            content = parts.read(name)
            if name == part:
                assert old in content
                content = content.replace(old, new, 1)
            made.writestr(name, content)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO(notice_template.shipped())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/media/big.bin", bytes(60 * 2**20))
    return out.getvalue()


RELATIONS = "word/_rels/document.xml.rels"
ELSEWHERE = (
    b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    b'relationships/image" Target="http://evil.example/x.png" TargetMode="External"/>'
)
BAD = {
    "no file": lambda: b"",
    "not a document": lambda: b"%PDF-1.7",
    "cut off": lambda: notice_template.shipped()[:-300],
    "too large": lambda: bytes(notice_template.MAX_BYTES + 1),
    "a bomb": bomb,
    "entities": lambda: changed(
        "word/document.xml", b"<w:document", b'<!DOCTYPE x [<!ENTITY a "b">]><w:document'
    ),
    "a part from elsewhere": lambda: changed(
        RELATIONS, b"</Relationships>", ELSEWHERE + b"</Relationships>"
    ),
    "an unknown field": lambda: template("{{ passwords }}"),
    "an unknown field of a violation": lambda: template(
        "{% for one in violations %}{{ one.tower.secret }}{% endfor %}"
    ),
    "an unknown field in a branch": lambda: template("{% if draft %}{{ nothing }}{% endif %}"),
    "a way out": lambda: template("{{ owner.__class__.__mro__ }}"),
    "a call": lambda: template("{{ owner.format(1) }}"),
    "a sum": lambda: template("{{ 'a' * 999999999 }}"),
    "a filter": lambda: template("{{ owner|attr('__class__') }}"),
    "an include": lambda: template("{% include '/etc/passwd' %}"),
    "an open field": lambda: template("{% for one in violations %}"),
    "a broken field": lambda: template("{{ owner"),
    "deep loops": lambda: template("{% for a in violations %}" * 3 + "{% endfor %}" * 3),
    "a loop over a text": lambda: template("{% for a in owner %}{{ a }}{% endfor %}"),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_template_that_cannot_serve_is_refused(tmp_path, kind) -> None:
    path = tmp_path / "file"
    path.write_bytes(BAD[kind]())
    with pytest.raises(Invalid) as refused:
        documents_word.check_template(path, "mau.docx", notice_template.sample())
    assert list(refused.value.fields) == ["file"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("too large", "A template may have at most 5 MB"),
        ("a bomb", "This Word document is too large inside"),
        ("entities", "This Word document defines entities of its own"),
        ("a way out", "The template does more than name fields"),
    ],
)
def test_a_refused_template_changes_nothing(session, case, kind, says) -> None:
    """It is looked at in a process of its own, which says why."""
    with pytest.raises(Invalid) as refused:
        upload(session, case, BAD[kind]())
    assert list(refused.value.fields) == ["file"]
    assert (refused.value.message % refused.value.facts).startswith(says)
    assert notice_documents.template_of(session, case.press.notices) == notice_template.shipped()


def test_a_template_that_grows_with_its_rows_ends_a_process_of_its_own(
    session, case, monkeypatch
) -> None:
    """One row was no trouble; of a real notice it would take all memory."""
    upload(session, case, template("{% for one in violations %}{{ one.defect }}{% endfor %}"))
    monkeypatch.setattr(documents, "MEMORY_BYTES", 60_000_000)
    with pytest.raises(Invalid) as refused:
        noticed.issued(session, case)
    assert refused.value.message in {confined.TOO_MUCH_MEMORY, confined.CRASHED}


def test_an_unknown_field_is_named(session, case) -> None:
    with pytest.raises(Invalid) as refused:
        upload(session, case, template("{{ ownr }}"))
    assert refused.value.facts["field"] == "ownr"
    with pytest.raises(Invalid):
        upload(session, case, template("{{ owner }}"), "mau.docm")
