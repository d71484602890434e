"""What the doors of owners share: a notice as its owner sees it, and an answer with its files."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from flask import Response, request, send_file

from core import clock
from core.db import current_session, transaction
from core.errors import DomainError, Invalid, NotFound
from core.file_types import TYPES
from core.files import FileStore
from core.guard import current_actor
from core.i18n import current_language
from core.words import N_
from inspections.doors import given_day, notice_store, photo_store
from inspections.notice_models import NoticeItem, NoticeReply
from inspections.queries import notices, own_notices
from inspections.rules.notice import ReplyKind
from inspections.rules.violation import is_overdue
from inspections.services import notice_links, notice_replies
from inspections.services.notice_replies import Reply, Speaker
from inspections.texts import item_texts
from towers.services.documents import checked

FILE_LIMIT = 8 * 26 * 1024 * 1024


def speaker_by_link(token: str) -> Speaker:
    """Whoever opens a link; raises `NotFound`."""
    link = notice_links.opened(current_session(), token, now=clock.now())
    return notice_replies.by_link(link)


def speaker_by_account(notice_id: uuid.UUID) -> Speaker:
    """The person who is signed in, about a notice to their organisation; raises `NotFound`."""
    notice = own_notices.own_notice(current_session(), current_actor(), notice_id)
    if notice is None:
        raise NotFound()
    return notice_replies.by_account(notice, current_actor())


def take_reply(speaker: Speaker) -> tuple[NoticeReply, bool]:
    """Write the answer in the form down; returns it and whether it is new."""
    with ExitStack() as stack, transaction() as session:
        return notice_replies.answer(
            session,
            speaker,
            given_reply(stack, notice_store()),
            kept=notice_store(),
            now=clock.now(),
            today=clock.today(),
        )


def given_reply(stack: ExitStack, kept: FileStore) -> Reply:
    """The answer in the form with its files; raises `Invalid`."""
    kind = request.form.get("kind", "")
    violation_id, number = (_uuid(request.form.get(name, "")) for name in ("violation", "id"))
    if kind not in set(ReplyKind) or violation_id is None or number is None:
        raise Invalid(fields={"kind": [N_("Choose one of the answers")]})
    sent = [one for one in request.files.getlist("files") if one.filename]
    if len(sent) > notice_replies.MOST_FILES:
        message = N_("Send at most %(most)s files at once")
        raise Invalid(fields={"files": [(message, {"most": notice_replies.MOST_FILES})]})
    files = []
    for one in sent:
        arrival = stack.enter_context(kept.arriving(one.stream))
        try:
            files.append(checked(arrival, one.filename or "", kept))
        except DomainError as error:
            raise Invalid(fields={"files": [(error.message, error.facts)]}) from error
    return Reply(
        id=number,
        violation_id=violation_id,
        kind=ReplyKind(kind),
        name=request.form.get("name", ""),
        text=request.form.get("text", ""),
        wanted_on=given_day("wanted_on") if kind == ReplyKind.EXTENSION else None,
        files=tuple(files),
    )


def photo_file(speaker: Speaker, photo_id: uuid.UUID) -> Response:
    """A photo of a finding that the notice is about, without hidden data; raises `NotFound`."""
    named = [item.violation_id for item in speaker.items]
    for photos in notices.photos_of(current_session(), named).values():
        for photo in photos:
            path = photo_store().path(photo.sha256, "full")
            if photo.id == photo_id and path.exists():
                return send_file(path, mimetype="image/jpeg")
    raise NotFound()


def replies_of(speaker: Speaker) -> dict[uuid.UUID, list[NoticeReply]]:
    """What was answered before, by violation."""
    shown = {item.violation_id for item in speaker.items}
    found: dict[uuid.UUID, list[NoticeReply]] = {}
    for one in speaker.notice.replies:
        if one.violation_id in shown:
            found.setdefault(one.violation_id, []).append(one)
    return found


def shown_to(
    speaker: Speaker,
    *,
    photo_address: Callable[[uuid.UUID], str],
    errors: Mapping[str, list[str]] | None,
) -> dict[str, Any]:
    """What the page of a notice shows its owner."""
    session = current_session()
    return {
        "notice": speaker.notice,
        "speaker": speaker,
        "photo_address": photo_address,
        "replies": replies_of(speaker),
        "photos": notices.photos_of(session, [item.violation_id for item in speaker.items]),
        "items": item_texts(session, current_language()),
        "accept": ",".join(f".{ending}" for ending in TYPES),
        "most_files": notice_replies.MOST_FILES,
        "megabytes": notice_store().max_bytes // 10**6,
        "new_id": uuid.uuid4,
        "today": clock.today(),
        "errors": errors,
        "given": request.form,
    }


def body_of(speaker: Speaker) -> dict[str, Any]:
    """The same in the API."""
    session, notice = current_session(), speaker.notice
    photos = notices.photos_of(session, [item.violation_id for item in speaker.items])
    items = item_texts(session, current_language())
    return {
        "id": str(notice.id),
        "reference": notice.reference,
        "owner": notice.owner.name,
        "issued_on": notice.issued_on.isoformat() if notice.issued_on else None,
        "served_on": notice.served_on.isoformat() if notice.served_on else None,
        "violations": [
            {
                **_violation(item),
                "what": items.of(item.violation.checklist_version_id, item.violation.item_key),
                "possible": sorted(speaker.possible(item)),
                "photos": [str(one.id) for one in photos.get(item.violation_id, ())],
            }
            for item in speaker.items
        ],
        "replies": [said(one) for replies in replies_of(speaker).values() for one in replies],
    }


def _violation(item: NoticeItem) -> dict[str, Any]:
    one = item.violation
    return {
        "id": str(one.id),
        "place": item.place,
        "tower": {"code": one.tower.code, "name": one.tower.name},
        "commune": one.tower.commune.name if one.tower.commune else None,
        "item": one.item_key,
        "severity": one.severity,
        "deadline": one.deadline.isoformat(),
        "overdue": one.state == "open" and is_overdue(one.deadline, clock.today()),
        "state": one.state,
        "stage": one.stage,
        "legal_basis": one.legal_basis,
    }


def said(reply: NoticeReply) -> dict[str, Any]:
    """An answer as whoever gave it sees it."""
    return {
        "id": str(reply.id),
        "violation": str(reply.violation_id),
        "kind": reply.kind,
        "name": reply.name,
        "text": reply.text,
        "wanted_on": reply.wanted_on.isoformat() if reply.wanted_on else None,
        "received_at": reply.received_at.isoformat(),
        "files": [
            {"filename": one.filename, "byte_size": one.byte_size, "sha256": one.sha256.hex()}
            for one in reply.files
        ],
    }


def hidden(response: Response) -> Response:
    """The address is a key: no other site is told it, nobody keeps or lists it."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Cache-Control"] = "no-store"
    return response


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
