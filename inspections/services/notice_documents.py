"""The documents of a notice: its facts, the DOCX of the department's template, the PDF of our own.

Official documents are in Vietnamese. What was issued is kept; only drafts are made again.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

import jinja2
import qrcode
from sqlalchemy.orm import Session

from core import documents as making
from core import store
from core.documents import Picture
from core.files import FileStore
from core.i18n import force_locale, translate
from core.settings import ROOT
from inspections.labels import VOCABULARIES
from inspections.models import Photo
from inspections.notice_models import Notice
from inspections.queries import notices as queries
from inspections.rules.notice import DocumentForm, written_day
from inspections.services import checklists, notice_map, notice_template

DATA = ROOT / "inspections/data"
PHOTOS_EACH = 2
PHOTO_MM, MAP_MM, CODE_MM = 62, 165, 30
AGENCY = ("notice_authority", "notice_agency", "notice_symbol", "notice_place")


@dataclass(frozen=True)
class Press:
    """Where photos lie and documents are kept, whose days count, and the service's own address."""

    photos: FileStore
    notices: FileStore
    zone: tzinfo
    address: str


def documents(
    session: Session, notice: Notice, *, link: str, press: Press
) -> dict[DocumentForm, bytes]:
    """Both documents of a notice; a draft says on every page that it is one."""
    facts = facts_of(session, notice, link=link, press=press)
    return {
        DocumentForm.DOCX: _docx(session, facts, press.notices),
        DocumentForm.PDF: pdf(facts),
    }


def _docx(session: Session, facts: Mapping[str, Any], kept: FileStore) -> bytes:
    own = queries.template(session)
    if own is None:
        return making.docx(notice_template.shipped(), facts)
    return making.docx_from(kept.path(own.sha256), facts)


def template_of(session: Session, kept: FileStore) -> bytes:
    """The DOCX that notices are made from: the department's, or the shipped one."""
    own = queries.template(session)
    if own is None:
        return notice_template.shipped()
    return kept.path(own.sha256).read_bytes()


def pdf(facts: Mapping[str, Any]) -> bytes:
    """The PDF with these facts; their pictures are its only files."""
    files: dict[str, bytes] = {}

    def named(picture: Picture) -> str:
        name = f"picture-{len(files)}"
        files[name] = picture.content
        return f"own:{name}"

    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DATA),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = pages.get_template("notice.html").render(facts, named=named)
    return making.pdf(html, files)


def facts_of(session: Session, notice: Notice, *, link: str, press: Press) -> dict[str, Any]:
    """What templates can name; `notice_template.FIELDS` says it to those who write them."""
    photos = queries.photos_of(session, [item.violation_id for item in notice.items])
    reports = queries.reports_of(session, [item.violation_id for item in notice.items])
    severities = VOCABULARIES["severity"]
    rows: list[dict[str, Any]] = []
    places: list[notice_map.Place] = []
    for item in notice.items:
        violation = item.violation
        tower = violation.tower
        asked = checklists.item_of(session, violation.checklist_version, violation.item_key)
        defect = asked.text("vi") if asked else violation.item_key
        if (report := reports.get(violation.id)) is not None:
            defect += f" ({report.assessor}, ngày {report.assessed_on:%d/%m/%Y})"
        basis = violation.legal_basis or {}
        number = str(item.place)
        places.append(notice_map.Place(number, tower))
        with force_locale("vi"):
            severity = translate(severities[violation.severity])
        rows.append(
            {
                "number": number,
                "tower_code": tower.code,
                "tower_name": tower.name,
                "commune": tower.commune.name if tower.commune else "",
                "address": tower.address or "",
                "defect": f"{defect}: {violation.detail}" if violation.detail else defect,
                "severity": severity,
                "critical": violation.severity == "critical",
                "found_on": f"{violation.found_on:%d/%m/%Y}",
                "deadline": _deadline(violation.deadline, notice, press),
                "legal_basis": ", ".join(
                    str(part) for part in (basis.get("document"), basis.get("article")) if part
                ),
                "recommendation": violation.legal_basis is None,
                "photos": [
                    {
                        "picture": Picture(content, PHOTO_MM),
                        "caption": f"Mục {number}. {tower.code}, chụp ngày"
                        f" {_day(one.received_at, press)}",
                    }
                    for one in photos.get(violation.id, [])[:PHOTOS_EACH]
                    if (content := _photo(one, press.photos)) is not None
                ],
            }
        )
    agency = {key.removeprefix("notice_"): store.value_of(session, key) or "" for key in AGENCY}
    return {
        **agency,
        "draft": notice.issued_on is None,
        "reference": notice.reference or f"…/{agency['symbol']}",
        "date": written_day(notice.issued_on) if notice.issued_on else "ngày … tháng … năm …",
        "owner": notice.owner.name,
        "owner_address": notice.owner.address,
        "owner_person": notice.owner.responsible_person,
        "note": notice.note,
        "count": str(len(rows)),
        "any_critical": any(row["critical"] for row in rows),
        "any_photo": any(row["photos"] for row in rows),
        "violations": rows,
        "map": Picture(notice_map.draw(session, places), MAP_MM),
        "link": link,
        "link_until": _until(notice, press),
        "link_code": Picture(qr_code(link), CODE_MM),
        "signer": (notice.issued_by.name or notice.issued_by.email) if notice.issued_by else "",
    }


def _deadline(day: date, notice: Notice, press: Press) -> str:
    """Until when; what was due before the notice was written is due at once."""
    written = notice.issued_on or notice.drafted_at.astimezone(press.zone).date()
    text = f"{day:%d/%m/%Y}"
    return f"Khắc phục ngay (đã quá hạn {text})" if day < written else text


def _day(moment: datetime, press: Press) -> str:
    return f"{moment.astimezone(press.zone):%d/%m/%Y}"


def _until(notice: Notice, press: Press) -> str:
    live = [one.expires_at for one in notice.links if one.revoked_at is None]
    return _day(max(live), press) if live else ""


def _photo(photo: Photo, kept: FileStore) -> bytes | None:
    """The copy that is served, which carries no position; `None` where its file is lost."""
    try:
        return kept.path(photo.sha256, "full").read_bytes()
    except FileNotFoundError:
        return None


def qr_code(text: str) -> bytes:
    """A QR code as a PNG, level M: paper is clean, and the code stays coarse."""
    drawn = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=2, box_size=8)
    drawn.add_data(text)
    drawn.make(fit=True)
    out = io.BytesIO()
    drawn.make_image().get_image().save(out, "PNG")
    return out.getvalue()
