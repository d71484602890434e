"""The queue of a phone as a file: what it could not send, handed over and taken as if it had.

The phone signs what it writes, by the hash of its token: HMAC-SHA-256 over the text `signed`, in
which the operations stand and each photo with its SHA-256. The photos themselves come beside it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import false, func, not_, select

from accounts import tokens
from accounts.models import Device, User
from accounts.security import actor_of
from core import audit
from core.api import strict_json
from core.db import current_session, transaction
from core.errors import BadRequest, Invalid
from core.formats import moment
from core.i18n import translate
from core.policy import Actor, visible
from core.problems import as_domain_error
from core.words import N_
from inspections.doors import photo_store
from inspections.field_models import Upload
from inspections.field_schemas import moment_of, number_of
from inspections.models import Inspection
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
from towers.models import Tower
from towers.queries import merges

FORMAT = "thap-canh-queue"
MOST_IN_QUEUE = 5_000
# What stands in so many records, with their answers and photos.
MOST_VALUES = 1_500_000


@dataclass(frozen=True)
class Queue:
    """What a phone had not brought home yet, as it wrote and signed it.

    `contents` are the photos in base64, by their number; `shut` says why it waits for staff.
    """

    user: User
    device: Device
    shut: Reason | None
    sha256: str
    device_at: datetime | None
    operations: list[Sent]
    wrong: list[Refusal]
    photos: list[dict[str, Any]]
    contents: Mapping[str, str]


@dataclass(frozen=True)
class Imported:
    """What became of one thing in a queue."""

    kind: str
    id: str
    verdict: str
    title: str
    fields: Mapping[str, Sequence[str]]


def read_queue(content: bytes, *, now: datetime) -> Queue:
    """The queue in a file; raises `Invalid` for what is none, and for what no phone signed."""
    given = _object(content)
    if given.get("format") != FORMAT:
        raise _wrong(N_("This is not the queue of a phone"))
    if given.get("version") == 1:
        raise _wrong(
            N_(
                "This queue is not signed: open the field app where there is a network, so that it"
                " becomes the newest, and save the file again"
            )
        )
    if given.get("version") != 2:
        raise _wrong(N_("A newer version of the service wrote this queue"))
    signed, signature, contents = given.get("signed"), given.get("signature"), given.get("photos")
    if not isinstance(signed, str) or not isinstance(signature, str):
        raise _wrong(N_("This is not the queue of a phone"))
    said = _object(signed.encode())
    user, device, shut = _signer(said, signed, signature, now)
    operations, photos = said.get("operations"), said.get("photos")
    if not isinstance(operations, list) or len(operations) > MOST_IN_QUEUE:
        raise _wrong(N_("This is not the queue of a phone"))
    found: list[Sent] = []
    wrong: list[Refusal] = []
    for start in range(0, len(operations), MOST_OPERATIONS):
        sent, refused = read_operations(operations[start : start + MOST_OPERATIONS])
        found += [replace(one, place=one.place + start) for one in sent]
        wrong += [replace(one, place=one.place + start) for one in refused]
    return Queue(
        user=user,
        device=device,
        shut=shut,
        sha256=hashlib.sha256(content).hexdigest(),
        device_at=moment_of(said.get("device_time")),
        operations=found,
        wrong=wrong,
        photos=_photos_as_signed(photos, contents),
        contents=contents if isinstance(contents, dict) else {},
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        given = strict_json(content, most_values=MOST_VALUES)
    except BadRequest as error:
        raise _wrong(N_("This is not the queue of a phone")) from error
    if not isinstance(given, dict):
        raise _wrong(N_("This is not the queue of a phone"))
    return given


def _wrong(message: str, **facts: object) -> Invalid:
    return Invalid(message, fields={"file": [message]}, **facts)


def _signer(
    said: Mapping[str, Any], signed: str, signature: str, now: datetime
) -> tuple[User, Device, Reason | None]:
    """Whose phone signed a queue. One that was shut out may hand over what it has, as it may send
    it; one whose sign-in ended says who it is first. Raises `Invalid`."""
    session = current_session()
    device_id, user_id = number_of(said.get("device")), number_of(said.get("user"))
    device = session.get(Device, device_id) if device_id else None
    user = session.get(User, user_id) if user_id else None
    token = None
    if device is not None and user is not None and device.user_id == user.id:
        token = tokens.signer(session, device.id, signed.encode(), signature)
    if device is None or user is None or token is None or token.user_id != user.id:
        raise _wrong(
            N_(
                "No phone that is known here signed this file, or it was changed since: save it"
                " again on the phone, and bring it as it is"
            )
        )
    if not any(role.name == "inspector" for role in user.roles):
        raise _wrong(N_("The inspector of this queue is not known here"))
    if not user.active:
        return user, device, Reason.DISABLED_ACCOUNT
    if device.revoked_at is not None:
        return user, device, Reason.REVOKED_DEVICE
    ended = token.revoked_at or token.expires_at
    if ended is not None and ended <= now:
        raise _wrong(
            N_(
                "The sign-in by which the phone signed this file ended on %(moment)s: sign in again"
                " on the phone, then save the file again"
            ),
            moment=moment(ended),
        )
    return user, device, None


def _photos_as_signed(photos: Any, contents: Any) -> list[dict[str, Any]]:
    """What was signed of the photos, each of which is in the file as it was; raises `Invalid`."""
    named = [one for one in photos if isinstance(one, dict)] if isinstance(photos, list) else []
    given = contents if isinstance(contents, dict) else {}
    fit = len(named) == len(given) and all(
        hashlib.sha256(_decoded(given.get(str(one.get("id"))))).hexdigest() == one.get("sha256")
        for one in named
    )
    if not fit:
        raise _wrong(
            N_(
                "The photos in this file are not those that the phone signed: save it again on the"
                " phone, and bring it as it is"
            )
        )
    return named


def _decoded(given: Any) -> bytes:
    """The bytes of a photo in base64, none for what is no base64."""
    try:
        return base64.b64decode(given, validate=True)
    except (ValueError, TypeError):
        return b""


def process_queue(queue: Queue, *, by: Actor, now: datetime) -> list[Imported]:
    """Take a queue as if its phone had sent it; who imported it is written down.

    What a phone that was shut out wrote waits for staff, as if it had sent it itself. Raises
    `Invalid` for a queue about towers that `by` does not see.
    """
    session = current_session()
    _require_in_territory(queue, by)
    actor = actor_of(session, queue.user)
    if by.communes is not None:
        inside = by.communes if actor.communes is None else actor.communes & by.communes
        actor = replace(actor, communes=inside)
    sender = Sender(actor, Clock(queue.device_at, now), queue.device.id, queue.shut)
    with transaction() as session:
        audit.record(
            session,
            "field.import",
            "user",
            queue.user.id,
            by=by,
            now=now,
            after={
                "sha256": queue.sha256,
                "device": str(queue.device.id),
                "operations": [str(one.id) for one in queue.operations],
                "photos": len(queue.photos),
            },
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
    return imported + [
        _imported_photo(one, _decoded(queue.contents[str(one["id"])]), named, sender)
        for one in queue.photos
    ]


def _require_in_territory(queue: Queue, by: Actor) -> None:
    """Raise `Invalid` where a queue is about towers that who imports it does not see."""
    if by.communes is None:
        return
    session = current_session()
    codes: set[str] = set()
    inspections: set[uuid.UUID | None] = set()
    for one in queue.operations:
        if isinstance(one.body.get("tower"), str):
            codes.add(one.body["tower"])
        inspections.add(number_of(one.body.get("id")))
    inspections |= {number_of(one.get("inspection")) for one in queue.photos}
    foreign = (
        select(Inspection.id)
        .join(Tower, Tower.id == Inspection.tower_id)
        .where(
            Inspection.id.in_(inspections - {None}),
            not_(func.coalesce(visible(by, "tower"), false())),
        )
    )
    if session.scalar(select(foreign.exists())) or not all(
        merges.current(session, by, code) for code in codes
    ):
        raise _wrong(
            N_(
                "This queue has records of towers outside your territory: somebody who sees the"
                " whole register has to import it"
            )
        )


def _named_photos(operations: Sequence[Sent]) -> dict[str, dict[str, Any]]:
    """What the records of a queue say of their photos, by the number of the photo."""
    found: dict[str, dict[str, Any]] = {}
    for one in operations:
        photos = one.body.get("photos")
        for photo in photos if isinstance(photos, list) else ():
            if isinstance(photo, dict):
                found[str(photo.get("id"))] = {**photo, "inspection": one.body.get("id")}
    return found


def _imported_photo(
    given: Mapping[str, Any], content: bytes, named: Mapping[str, Mapping[str, Any]], sender: Sender
) -> Imported:
    number = str(given["id"])
    try:
        standing = _take_photo(given, content, named.get(number, {}), sender)
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


def _take_photo(
    given: Mapping[str, Any], content: bytes, named: Mapping[str, Any], sender: Sender
) -> Standing:
    """One photo of a queue, with what its record says of it; raises `Invalid`."""
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
