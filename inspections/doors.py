"""What the doors of this feature share: stores, notices, visits in JSON, lists as answers."""

from __future__ import annotations

import io
import uuid
from collections.abc import Collection
from typing import Any

from flask import Response, current_app, jsonify, send_file
from marshmallow import fields
from sqlalchemy.orm import Session

from core import clock
from core.api import StrictSchema
from core.db import current_session
from core.errors import NotFound
from core.file_types import TYPES
from core.files import FileStore
from core.geo import Position
from core.guard import current_actor
from core.pages import service_address
from core.settings import Settings
from core.words import N_
from inspections.notice_models import Notice
from inspections.queries import notices
from inspections.rules.catalogue import HOW
from inspections.rules.notice import DocumentForm, NoticeState
from inspections.services import notice_documents
from inspections.services.notice_documents import Press
from inspections.services.notice_links import PATH as LINK_PATH
from inspections.services.notices import the_document
from inspections.services.record import Visit


class ItemsSchema(StrictSchema):
    """A page of a list: `next_cursor` is null on the last one."""

    items = fields.List(fields.Dict(), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ObjectSchema(StrictSchema):
    """A single object."""

    class Meta:
        unknown = "include"


def listed(items: list[dict[str, Any]], cursor: str | None) -> Response:
    return jsonify(items=items, next_cursor=cursor)


def photo_store() -> FileStore:
    settings: Settings = current_app.config["SETTINGS"]
    return FileStore(
        folder=settings.instance / "photos",
        max_bytes=settings.max_photo_bytes,
        max_pixels=settings.max_photo_pixels,
    )


def in_order(methods: Collection[str] | None) -> tuple[str, ...] | None:
    """How a visit was made, each way once."""
    return None if methods is None else tuple(one for one in HOW if one in methods)


def notice_store() -> FileStore:
    """Issued documents, templates, and what owners sent."""
    settings: Settings = current_app.config["SETTINGS"]
    return FileStore(
        folder=settings.instance / "notices",
        max_bytes=settings.max_photo_bytes,
        max_pixels=settings.max_photo_pixels,
    )


def press() -> Press:
    return Press(
        photos=photo_store(),
        notices=notice_store(),
        zone=clock.zone(),
        address=service_address(current_session()),
    )


def the_notice(notice_id: uuid.UUID) -> Notice:
    found = notices.notice(current_session(), current_actor(), notice_id)
    if found is None:
        raise NotFound()
    return found


def held_notice(session: Session, notice_id: uuid.UUID) -> Notice:
    """The notice as it stands now, held until the transaction ends."""
    found = the_notice(notice_id)
    session.refresh(found, with_for_update={"of": Notice})
    return found


def notice_file(notice: Notice, form: str) -> Response:
    """A kept document of a notice, as it left; of a draft, one that says that it is a draft."""
    known = {"pdf": "application/pdf", "docx": TYPES["docx"].media_type}
    if form not in known or notice.state == NoticeState.DISCARDED:
        raise NotFound()
    name = "thong-bao-" + (notice.reference.replace("/", "-") or "du-thao")
    if notice.state == NoticeState.DRAFT:
        made = notice_documents.documents(
            current_session(), notice, link=f"{press().address}{LINK_PATH}…", press=press()
        )
        content = io.BytesIO(made[DocumentForm(form)])
    else:
        path = notice_store().path(the_document(notice, form).sha256)
        if not path.exists():
            raise NotFound(N_("The file of this document is missing: restore it from the backup"))
        content = io.BytesIO(path.read_bytes())
    return send_file(
        content,
        mimetype=known[form],
        as_attachment=form != "pdf",
        download_name=f"{name}.{form}",
    )


def visit_from(data: dict[str, Any], body: dict[str, Any]) -> Visit:
    """The visit in a validated body; `body` is the JSON as it was sent, for the records."""
    place = data.get("position")
    accuracy = place.get("accuracy_m") if place else None
    return Visit(
        kind=data["kind"],
        inspected_on=data["inspected_on"],
        answers=data["answers"],
        submit=data["submit"],
        structure_type=data["structure_type"],
        checklist_version=data["checklist_version"],
        methods=in_order(data["methods"]),
        position=Position(place["latitude"], place["longitude"]) if place else None,
        position_accuracy_m=accuracy,
        note=data["note"],
        assessment_requested=data["assessment_requested"],
        assessment_reason=data["assessment_reason"],
        body={key: value for key, value in body.items() if key != "id"},
    )
