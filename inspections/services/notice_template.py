"""The DOCX that notices are made from: the shipped one, and what another one must be like.

The form follows Nghị định 30/2020/NĐ-CP on official documents: its heads, sizes and margins.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import docx
from docx.document import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.table import Table
from docx.text.paragraph import Paragraph
from PIL import Image
from sqlalchemy import update
from sqlalchemy.orm import Session

from core import audit, policy
from core import documents as making
from core.documents import Picture
from core.errors import Invalid
from core.files import Arrival, FileStore, bare_name
from core.i18n import N_
from core.policy import Actor
from inspections.notice_models import NoticeTemplate
from inspections.queries import notices as queries

MAX_BYTES = 5 * 2**20
LEFT, CENTRE = WD_ALIGN_PARAGRAPH.LEFT, WD_ALIGN_PARAGRAPH.CENTER
RIGHT, BOTH = WD_ALIGN_PARAGRAPH.RIGHT, WD_ALIGN_PARAGRAPH.JUSTIFY


@functools.cache
def _dot() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "white").save(out, "PNG")
    return out.getvalue()


def sample() -> dict[str, Any]:
    """Every field that a template can name, with what stands in it for an example."""
    picture = Picture(_dot(), 40)
    return {
        "authority": "UBND TỈNH ĐỒNG THÁP",
        "agency": "SỞ KHOA HỌC VÀ CÔNG NGHỆ",
        "symbol": "TB-SKHCN",
        "place": "Đồng Tháp",
        "draft": False,
        "reference": "07/TB-SKHCN",
        "date": "ngày 25 tháng 11 năm 2026",
        "owner": "Công ty Hạ tầng Sen Xanh",
        "owner_address": "12 Nguyễn Huệ, phường Cao Lãnh",
        "owner_person": "Nguyễn Văn An",
        "note": "Đề nghị cử người phối hợp.",
        "count": "1",
        "any_critical": True,
        "any_photo": True,
        "violations": [
            {
                "number": "1",
                "tower_code": "DT-00001",
                "tower_name": "Trạm Thường Phước",
                "commune": "Xã Thường Phước",
                "address": "Ấp 1",
                "defect": "Thang leo, sàn công tác, lan can chắc chắn",
                "severity": "Nghiêm trọng",
                "critical": False,
                "found_on": "01/11/2026",
                "deadline": "01/12/2026",
                "legal_basis": "Nghị định 06/2021/NĐ-CP, Điều 40",
                "recommendation": False,
                "photos": [{"picture": picture, "caption": "Mục 1. DT-00001"}],
            }
        ],
        "map": picture,
        "link": "https://thap.example.vn/n/…",
        "link_until": "23/02/2027",
        "link_code": picture,
        "signer": "Trần Thị Bình",
    }


def replace_template(
    session: Session,
    arrival: Arrival | None,
    filename: str,
    *,
    kept: FileStore,
    by: Actor,
    now: datetime,
) -> NoticeTemplate:
    """Make notices from another DOCX from now on; raises `Invalid` for one that cannot serve.

    What was issued stays as it is.
    """
    policy.require(by, "notice.template")
    if arrival is None or arrival.size > MAX_BYTES:
        message = N_("A template may have at most %(limit)s MB")
        raise Invalid(message, fields={"file": [message]}, limit=MAX_BYTES // 2**20)
    making.check_template(arrival.path, filename, sample())
    retire_template(session, by=by, now=now)
    kept.keep(arrival)
    made = NoticeTemplate(
        filename=bare_name(filename),
        sha256=arrival.sha256,
        byte_size=arrival.size,
        uploaded_at=now,
        uploaded_by_id=by.id,
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        "notice.template",
        "notice_template",
        made.id,
        by=by,
        now=now,
        after={"filename": made.filename, "sha256": made.sha256.hex()},
    )
    return made


def retire_template(session: Session, *, by: Actor, now: datetime) -> bool:
    """Go back to the shipped template; returns whether there was another one."""
    policy.require(by, "notice.template")
    own = queries.template(session)
    if own is None:
        return False
    session.execute(
        update(NoticeTemplate).where(NoticeTemplate.retired_at.is_(None)).values(retired_at=now)
    )
    audit.record(
        session,
        "notice.template_retired",
        "notice_template",
        own.id,
        by=by,
        now=now,
        before={"filename": own.filename, "sha256": own.sha256.hex()},
    )
    return True


@functools.cache
def shipped() -> bytes:
    """The template that comes with the project."""
    document = docx.Document()
    _page(document)
    _head(document)
    _body(document)
    _table(document)
    _demands(document)
    _signature(document)
    _annex(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _page(document: Document) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin = section.bottom_margin = Mm(20)
    section.left_margin, section.right_margin = Mm(28), Mm(17)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Times New Roman", Pt(13)
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), "Times New Roman")
    normal.paragraph_format.space_after = Pt(4)
    document.core_properties.title = "Thông báo yêu cầu khắc phục"
    document.core_properties.language = "vi-VN"
    document.core_properties.author = "{{ agency }}"


def _write(
    paragraph: Paragraph,
    text: str,
    *,
    align: WD_ALIGN_PARAGRAPH = LEFT,
    size: float = 13,
    bold: bool = False,
    italic: bool = False,
) -> Paragraph:
    paragraph.alignment = align
    run = paragraph.add_run(text)
    run.font.size, run.bold, run.italic = Pt(size), bold, italic
    return paragraph


def _head(document: Document) -> None:
    table = document.add_table(rows=1, cols=2)
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    left, right = table.rows[0].cells
    _set_widths(table, (68, 97))
    _write(left.paragraphs[0], "{{ authority }}", align=CENTRE, size=12)
    _write(left.add_paragraph(), "{{ agency }}", align=CENTRE, size=12, bold=True)
    _write(left.add_paragraph(), "Số: {{ reference }}", align=CENTRE)
    _write(
        right.paragraphs[0], "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", align=CENTRE, size=12, bold=True
    )
    _write(right.add_paragraph(), "Độc lập - Tự do - Hạnh phúc", align=CENTRE, bold=True)
    _write(right.add_paragraph(), "{{ place }}, {{ date }}", align=CENTRE, italic=True)
    _write(document.add_paragraph(), "{%p if draft %}")
    _write(document.add_paragraph(), "DỰ THẢO", align=CENTRE, size=16, bold=True)
    _write(document.add_paragraph(), "{%p endif %}")
    title = _write(document.add_paragraph(), "THÔNG BÁO", align=CENTRE, size=14, bold=True)
    title.paragraph_format.space_before = Pt(12)
    _write(
        document.add_paragraph(),
        "Về việc yêu cầu khắc phục vi phạm an toàn cột, tháp thông tin và truyền thông",
        align=CENTRE,
        size=14,
        bold=True,
    )


def _body(document: Document) -> None:
    to = _write(document.add_paragraph(), "Kính gửi: {{ owner }}", align=CENTRE, size=14)
    to.paragraph_format.space_before = Pt(8)
    _write(document.add_paragraph(), "{%p if owner_address %}")
    _write(document.add_paragraph(), "Địa chỉ: {{ owner_address }}", align=CENTRE)
    _write(document.add_paragraph(), "{%p endif %}")
    first = _write(
        document.add_paragraph(),
        "Căn cứ kết quả kiểm tra, đánh giá an toàn các công trình thuộc trách nhiệm của quý đơn vị,"
        " cơ quan chúng tôi thông báo {{ count }} nội dung phải khắc phục như sau:",
        align=BOTH,
    )
    first.paragraph_format.first_line_indent = Mm(10)


HEADS = (
    ("Mục", 12),
    ("Công trình", 42),
    ("Nội dung không đạt", 55),
    ("Căn cứ", 32),
    ("Thời hạn", 24),
)


def _table(document: Document) -> None:
    table = document.add_table(rows=4, cols=len(HEADS))
    table.style = "Table Grid"
    table.autofit = False
    for cell, (text, _) in zip(table.rows[0].cells, HEADS, strict=True):
        _write(cell.paragraphs[0], text, align=CENTRE, size=11, bold=True)
    table.rows[1].cells[0].text = "{%tr for one in violations %}"
    cells = table.rows[2].cells
    _write(cells[0].paragraphs[0], "{{ one.number }}", align=CENTRE, size=11)
    _write(cells[1].paragraphs[0], "{{ one.tower_code }}", size=11, bold=True)
    _write(cells[1].add_paragraph(), "{{ one.tower_name }}", size=11)
    _write(cells[1].add_paragraph(), "{{ one.commune }}", size=11)
    _write(cells[2].paragraphs[0], "{{ one.defect }}", size=11)
    _write(
        cells[2].add_paragraph(),
        "Mức độ: {{ one.severity }}. Phát hiện ngày {{ one.found_on }}.",
        size=11,
        italic=True,
    )
    _write(
        cells[3].paragraphs[0],
        "{% if one.recommendation %}Khuyến nghị kỹ thuật{% else %}{{ one.legal_basis }}{% endif %}",
        size=11,
    )
    _write(cells[4].paragraphs[0], "{{ one.deadline }}", align=CENTRE, size=11, bold=True)
    table.rows[3].cells[0].text = "{%tr endfor %}"
    _set_widths(table, [width for _, width in HEADS])


def _set_widths(table: Table, widths: Sequence[float]) -> None:
    """Widths of columns in mm: one program reads those of the cells, another those of the grid."""
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
        for cell in column.cells:
            cell.width = Mm(width)


def _demands(document: Document) -> None:
    def demand(text: str) -> None:
        paragraph = _write(document.add_paragraph(), text, align=BOTH)
        paragraph.paragraph_format.first_line_indent = Mm(10)

    document.add_paragraph()
    demand("Yêu cầu quý đơn vị:")
    demand("1. Khắc phục từng nội dung nêu trên trong thời hạn ghi tại bảng.")
    _write(document.add_paragraph(), "{%p if any_critical %}")
    demand(
        "2. Đối với nội dung mức độ nghiêm trọng: thực hiện ngay biện pháp khẩn cấp (hạn chế hoặc"
        " ngừng sử dụng, rào chắn, sơ tán người) và báo ngay cho chính quyền địa phương nơi gần"
        " nhất, theo Điều 40 Nghị định số 06/2021/NĐ-CP."
    )
    _write(document.add_paragraph(), "{%p endif %}")
    demand(
        "Báo cáo kết quả kèm hình ảnh, hoặc đề nghị gia hạn có nêu lý do, qua đường dẫn ở trang"
        " sau. Báo cáo không thay cho việc kiểm tra lại: một nội dung chỉ kết thúc khi cơ quan"
        " kiểm tra xác nhận tại hiện trường."
    )
    _write(document.add_paragraph(), "{%p if note %}")
    demand("{{ note }}")
    _write(document.add_paragraph(), "{%p endif %}")


def _signature(document: Document) -> None:
    table = document.add_table(rows=1, cols=2)
    left, right = table.rows[0].cells
    _write(left.paragraphs[0], "Nơi nhận:", size=12, bold=True, italic=True)
    _write(left.add_paragraph(), "- Như trên;", size=11)
    _write(left.add_paragraph(), "- Lưu: VT, hồ sơ kiểm tra.", size=11)
    _write(right.paragraphs[0], "NGƯỜI KÝ", align=CENTRE, bold=True)
    for _ in range(4):
        right.add_paragraph()
    _write(right.add_paragraph(), "{{ signer }}", align=CENTRE, bold=True)


def _annex(document: Document) -> None:
    document.add_page_break()
    _write(document.add_paragraph(), "VỊ TRÍ CÔNG TRÌNH", align=CENTRE, bold=True)
    _write(document.add_paragraph(), "{{ map }}", align=CENTRE)
    _write(document.add_paragraph(), "{%p if any_photo %}")
    _write(document.add_paragraph(), "HÌNH ẢNH KIỂM TRA", align=CENTRE, bold=True)
    _write(document.add_paragraph(), "{%p endif %}")
    _write(document.add_paragraph(), "{%p for one in violations %}")
    _write(document.add_paragraph(), "{%p for photo in one.photos %}")
    _write(document.add_paragraph(), "{{ photo.picture }}", align=CENTRE)
    _write(document.add_paragraph(), "{{ photo.caption }}", align=CENTRE, size=11, italic=True)
    _write(document.add_paragraph(), "{%p endfor %}")
    _write(document.add_paragraph(), "{%p endfor %}")
    _write(document.add_paragraph(), "BÁO CÁO KẾT QUẢ KHẮC PHỤC", align=CENTRE, bold=True)
    _write(document.add_paragraph(), "{{ link_code }}", align=CENTRE)
    _write(document.add_paragraph(), "{{ link }}", align=CENTRE, size=11)
    _write(
        document.add_paragraph(),
        "Đường dẫn dành riêng cho quý đơn vị"
        "{% if link_until %}, có giá trị đến ngày {{ link_until }}{% endif %}.",
        align=CENTRE,
        size=11,
        italic=True,
    )
