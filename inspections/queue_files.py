"""The queue of a phone as a file: what it could not send, handed over and taken as if it had."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from accounts.models import Device, User
from accounts.security import actor_of
from core import audit
from core.api import strict_json
from core.db import current_session, transaction
from core.errors import BadRequest, Invalid
from core.i18n import translate
from core.policy import Actor
from core.problems import as_domain_error
from core.words import N_
from inspections.doors import photo_store
from inspections.field_models import Upload
from inspections.field_schemas import moment_of, number_of
from inspections.operations import (
    MOST_OPERATIONS,
    TITLES,
    Refusal,
    Sent,
    process,
    read_operations,
    refusal,
)
from inspections.photo_uploads import finish, pieces, upload_facts
from inspections.rules.sync import Clock, Reason, Verdict
from inspections.services import uploads
from inspections.services.sync import Sender
from inspections.services.uploads import Standing

FORMAT = "thap-canh-queue"
MOST_IN_QUEUE = 5_000
# What stands in so many records, with their answers and photos.
MOST_VALUES = 1_500_000


@dataclass(frozen=True)
class Queue:
    """What a phone had not brought home yet, as it wrote it to a file."""

    user: User
    device: Device | None
    device_at: datetime | None
    operations: list[Sent]
    wrong: list[Refusal]
    photos: list[Any]


@dataclass(frozen=True)
class Imported:
    """What became of one thing in a queue."""

    kind: str
    id: str
    verdict: str
    title: str
    fields: Mapping[str, Sequence[str]]


def read_queue(content: bytes) -> Queue:
    """The queue in a file; raises `Invalid` for what is none, or of somebody unknown."""
    try:
        given = strict_json(content, most_values=MOST_VALUES)
    except BadRequest as error:
        raise Invalid(fields={"file": [N_("This is not the queue of a phone")]}) from error
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise Invalid(fields={"file": [N_("This is not the queue of a phone")]})
    if given.get("version") != 1:
        raise Invalid(fields={"file": [N_("A newer version of the service wrote this queue")]})
    session = current_session()
    said = given.get("user")
    user_id = number_of(said.get("id") if isinstance(said, dict) else said)
    user = session.get(User, user_id) if user_id else None
    if user is None or not any(role.name == "inspector" for role in user.roles):
        raise Invalid(fields={"file": [N_("The inspector of this queue is not known here")]})
    named = given.get("device")
    device_id = number_of(named.get("id") if isinstance(named, dict) else named)
    device = session.get(Device, device_id) if device_id else None
    operations = given.get("operations")
    if not isinstance(operations, list) or len(operations) > MOST_IN_QUEUE:
        raise Invalid(fields={"file": [N_("This is not the queue of a phone")]})
    found: list[Sent] = []
    wrong: list[Refusal] = []
    for start in range(0, len(operations), MOST_OPERATIONS):
        sent, refused = read_operations(operations[start : start + MOST_OPERATIONS])
        found += [replace(one, place=one.place + start) for one in sent]
        wrong += [replace(one, place=one.place + start) for one in refused]
    photos = given.get("photos")
    return Queue(
        user=user,
        device=device if device is not None and device.user_id == user.id else None,
        device_at=moment_of(given.get("device_time")),
        operations=found,
        wrong=wrong,
        photos=photos if isinstance(photos, list) else [],
    )


def process_queue(queue: Queue, *, by: Actor, now: datetime) -> list[Imported]:
    """Take a queue as if its phone had sent it; who imported it is written down.

    What a phone that was shut out wrote waits for staff, as if it had sent it itself.
    """
    session, user, device = current_session(), queue.user, queue.device
    shut = None
    if not user.active:
        shut = Reason.DISABLED_ACCOUNT
    elif device is not None and device.revoked_at is not None:
        shut = Reason.REVOKED_DEVICE
    sender = Sender(
        actor_of(session, user),
        Clock(queue.device_at, now),
        device.id if device is not None else None,
        shut,
    )
    with transaction() as session:
        audit.record(
            session,
            "field.import",
            "user",
            user.id,
            by=by,
            now=now,
            after={"operations": len(queue.operations), "photos": len(queue.photos)},
        )
    results = process(queue.operations, queue.wrong, sender)
    kinds = {str(one.said_id): one.kind for one in queue.operations}
    imported = [
        Imported(
            kinds.get(str(one["id"]), ""),
            str(one["id"]),
            one["verdict"],
            one["title"],
            one.get("fields", {}),
        )
        for one in results
    ]
    named = _named_photos(queue.operations)
    return imported + [_imported_photo(one, named, sender) for one in queue.photos]


def _named_photos(operations: Sequence[Sent]) -> dict[str, dict[str, Any]]:
    """What the records of a queue say of their photos, by the number of the photo."""
    found: dict[str, dict[str, Any]] = {}
    for one in operations:
        photos = one.body.get("photos")
        for photo in photos if isinstance(photos, list) else ():
            if isinstance(photo, dict):
                found[str(photo.get("id"))] = {**photo, "inspection": one.body.get("id")}
    return found


def _imported_photo(given: Any, named: Mapping[str, Mapping[str, Any]], sender: Sender) -> Imported:
    number = str(given.get("id", "")) if isinstance(given, dict) else ""
    try:
        standing = _take_photo(given, named.get(number, {}), sender)
    except Exception as error:  # one bad photo never blocks the others
        known = as_domain_error(error)
        if known.status >= 500:
            structlog.get_logger().error("photo failed", photo=number, exc_info=error)
        answer = refusal(number, known)
        return Imported(
            "photo", number, answer["verdict"], answer["title"], answer.get("fields", {})
        )
    verdict = Verdict.QUARANTINED if sender.shut else Verdict.ACCEPTED
    title = TITLES[verdict] if standing.safe else N_("Not whole yet")
    return Imported("photo", number, verdict, translate(title), {})


def _take_photo(given: Any, named: Mapping[str, Any], sender: Sender) -> Standing:
    """One photo of a queue, from its base64, with what its record says of it; raises `Invalid`."""
    if not isinstance(given, dict):
        raise Invalid(fields={"file": [N_("This is missing.")]})
    try:
        content = base64.b64decode(given.get("base64") or "", validate=True)
    except (ValueError, TypeError) as error:
        raise Invalid(fields={"base64": [N_("This is not a photo in base64")]}) from error
    facts = upload_facts({**named, **given, "byte_size": len(content)})
    kept, folder = photo_store(), pieces()
    with transaction() as session:
        standing, _ = uploads.begin(
            session,
            facts,
            folder=folder,
            max_bytes=kept.max_bytes,
            by=sender.actor,
            now=sender.clock.received_at,
            device_id=sender.device_id,
            quarantined=sender.shut is not None,
        )
    if standing.safe:
        return standing
    upload = current_session().get_one(Upload, facts.id)
    path = uploads.path_of(folder, facts.id)
    rest = io.BytesIO(content[standing.offset :])
    uploads.append(path, standing.offset, upload.byte_size, rest.read)
    return finish(upload, sender.actor, kept)
