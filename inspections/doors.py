"""What the doors of this feature share: things by id, forms, stores, visits, lists as answers."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any

from flask import Response, current_app, jsonify, request, send_file
from flask.typing import ResponseReturnValue
from marshmallow import fields
from sqlalchemy.orm import Session

from core import clock
from core.api import StrictSchema
from core.db import current_session
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.file_types import TYPES
from core.files import FileStore
from core.geo import Position, to_position
from core.guard import current_actor
from core.pages import service_address
from core.problems import errors_of
from core.settings import Settings
from core.words import N_
from inspections.campaign_models import Assignment, Campaign
from inspections.labels import VOCABULARIES
from inspections.models import Inspection, LoadAssessment
from inspections.notice_models import Notice
from inspections.queries import assessments, campaigns, lists, notices
from inspections.rules.campaign import Kind
from inspections.rules.catalogue import HOW
from inspections.rules.evidence import PhotoSource
from inspections.rules.notice import DocumentForm, NoticeState
from inspections.services import notice_documents
from inspections.services.circumstances import Circumstances, Instrument
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


def the_campaign(campaign_id: uuid.UUID) -> Campaign:
    """A campaign that the reader may see; raises `NotFound`."""
    found = campaigns.campaign(current_session(), current_actor(), campaign_id)
    if found is None:
        raise NotFound()
    return found


def the_assignment(assignment_id: uuid.UUID) -> Assignment:
    """An assignment that the reader may see; raises `NotFound`."""
    found = campaigns.assignment(current_session(), current_actor(), assignment_id)
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


def visit_from(
    data: dict[str, Any], body: dict[str, Any], *, device_at: datetime | None = None
) -> Visit:
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
        circumstances=Circumstances(
            team=tuple(data["team"]),
            representative=data["representative"],
            weather=data["weather"],
            started_at=data["started_at"],
            ended_at=data["ended_at"],
            instruments=tuple(Instrument(**one) for one in data["instruments"]),
            verdict=data["verdict"],
            device_at=device_at,
        ),
        body={key: value for key, value in body.items() if key != "id"},
    )


def the_inspection(inspection_id: uuid.UUID) -> Inspection:
    found = lists.inspection(current_session(), current_actor(), inspection_id)
    if found is None:
        raise NotFound()
    return found


def own_inspection(inspection_id: uuid.UUID) -> Inspection:
    found = the_inspection(inspection_id)
    if found.inspector_id != current_actor().id:
        raise NotFound()
    return found


def position_of(inspection: Inspection) -> dict[str, Any]:
    """The position as the form's hidden fields carry it, so that a later save keeps it."""
    if inspection.position is None:
        return {}
    place, accuracy = to_position(inspection.position), inspection.position_accuracy_m
    return {
        "position_latitude": f"{place.latitude:.7f}",
        "position_longitude": f"{place.longitude:.7f}",
        "position_accuracy": "" if accuracy is None else f"{accuracy:f}",
    }


def photo_origin(form: Mapping[str, str]) -> tuple[PhotoSource, datetime | None]:
    """Where a device says that a photo comes from, and when it was taken; raises `Invalid`."""
    wrong: dict[str, list[Any]] = {}
    source, taken_at = form.get("source") or PhotoSource.FILE, None
    if source not in set(PhotoSource):
        wrong["source"] = [N_("Choose one of the answers")]
    if text := form.get("taken_at"):
        try:
            taken_at = datetime.fromisoformat(text)
        except ValueError:
            wrong["taken_at"] = [N_("This is not a moment (write 2026-12-31T09:30:00+07:00).")]
        else:
            if taken_at.tzinfo is None or not 2000 <= taken_at.year < 2100:
                wrong["taken_at"] = [N_("This is not a moment (write 2026-12-31T09:30:00+07:00).")]
    if wrong:
        raise Invalid(fields=wrong)
    return PhotoSource(source), taken_at


def the_assessment(assessment_id: uuid.UUID) -> LoadAssessment:
    found = assessments.assessment(current_session(), current_actor(), assessment_id)
    if found is None:
        raise NotFound()
    return found


# What forms say

NO_DAY = N_("This is not a date (write 2026-12-31).")


def given_day(name: str) -> date | None:
    """A day of a form, `None` for an empty field; raises `Invalid`."""
    text = request.form.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(NO_DAY, fields={name: [NO_DAY]}) from error


def given_ids(name: str) -> list[uuid.UUID]:
    """The ids that were chosen in a form; raises `Invalid`."""
    try:
        return [uuid.UUID(one) for one in request.form.getlist(name) if one]
    except ValueError as error:
        raise Invalid(fields={name: [N_("Choose one of the answers")]}) from error


def given_kind() -> Kind:
    """The kind of inspection that was chosen in a form; raises `Invalid`."""
    if request.form.get("kind", "") not in VOCABULARIES["inspection_kind"]:
        raise Invalid(fields={"kind": [N_("Choose one of the kinds")]})
    return Kind(request.form["kind"])


def require_shown_version(version: int) -> None:
    """Raise `Conflict` unless the form was made from this version."""
    if request.form.get("version") != str(version):
        raise Conflict(N_("Somebody changed this in the meantime: look at it first"))


def refused(error: DomainError, place: str = "form") -> dict[str, list[str]]:
    """What the page that was sent says of an error; nothing was written, so it is read anew.

    What is not there has no page to say it on: `NotFound` is raised again.
    """
    if isinstance(error, NotFound):
        raise error
    current_session().expire_all()
    return errors_of(error, place)


def again(
    page: Callable[..., str], thing: Any, error: DomainError, **options: Any
) -> ResponseReturnValue:
    """The same page with what is wrong; nothing was written."""
    return page(thing, errors=refused(error), given=request.form, **options), error.status
