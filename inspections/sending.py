"""What phones send, as the doors take it: read with patience, each operation in its transaction.

A phone may be older or newer than the service: fields that it does not know stay in the stored
body, and are no reason to refuse it.
"""

from __future__ import annotations

import base64
import hmac
import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog
from flask import current_app
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts.models import Device, User
from accounts.rules import SHUT_OUT
from accounts.security import actor_of, current_device
from core import audit, clock, store
from core.api import strict_json
from core.db import current_session, transaction
from core.errors import BadRequest, DomainError, Invalid
from core.files import FileStore
from core.guard import current_actor
from core.i18n import translate
from core.policy import Actor
from core.problems import as_domain_error, field_texts, flat_messages
from core.settings import Settings, kept_secret
from core.store import Setting
from core.validation import between, length
from core.words import N_
from inspections.doors import photo_store, visit_from
from inspections.field_models import Receipt, Upload
from inspections.rules.evidence import PhotoSource
from inspections.rules.sync import Clock, OperationKind, Reason, Verdict, in_order
from inspections.schemas import (
    MAX_ANSWERS,
    AnswerSchema,
    InstrumentSchema,
    NewInspectionSchema,
    PositionSchema,
)
from inspections.services import sync, uploads
from inspections.services.declared import Declared
from inspections.services.record import Visit
from inspections.services.sync import Kept, Operation, Sender
from inspections.services.uploads import Facts, Standing
from towers import services as towers
from towers.findings import NewProposal, finding_of
from towers.models import Tower
from towers.queries import merges
from towers.schemas import TowerFields
from towers.services.proposals import Finding

MOST_OPERATIONS = 100
MOST_BYTES = 2 * 1024 * 1024
MOST_PHOTOS = 200
# A clock that is years off is a fact to keep, not a reason to refuse the visit.
ANY_MOMENT = between(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
ANSWER_FIELDS = tuple(AnswerSchema().fields)
OUTCOMES = ("ok", "not_checked", "not_applicable")


class Patient(Schema):
    """Reads what it knows and leaves the rest to the stored body."""

    class Meta:
        unknown = EXCLUDE


class PatientPosition(PositionSchema):
    class Meta:
        unknown = EXCLUDE


class PatientInstrument(InstrumentSchema):
    class Meta:
        unknown = EXCLUDE


class PatientAnswer(AnswerSchema):
    class Meta:
        unknown = EXCLUDE


class PhotoFacts(Patient):
    """A photo as a record names it, or as its upload begins."""

    id = fields.UUID(required=True)
    item = fields.String(load_default=None, allow_none=True, validate=length(1, 100))
    sha256 = fields.String(required=True, validate=length(64, 64))
    byte_size = fields.Integer(required=True, strict=True, validate=between(1, 2**31 - 1))
    media_type = fields.String(load_default="", allow_none=True, validate=length(0, 100))
    source = fields.String(load_default="file", allow_none=True)
    taken_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=ANY_MOMENT)
    latitude = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(-90, 90)
    )
    longitude = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(-180, 180)
    )
    accuracy_m = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(0, 100_000)
    )

    @validates_schema
    def check_hash(self, data: dict[str, Any], **kwargs: Any) -> None:
        try:
            bytes.fromhex(data.get("sha256", ""))
        except ValueError as error:
            raise ValidationError(
                {"sha256": [N_("This is not a SHA-256 in hexadecimal digits")]}
            ) from error


class UploadFacts(PhotoFacts):
    inspection = fields.UUID(required=True)


class PatientVisit(NewInspectionSchema):
    """An inspection as a phone sends it; its answers are looked at apart, they are many."""

    class Meta:
        unknown = EXCLUDE

    started_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=ANY_MOMENT)
    ended_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=ANY_MOMENT)
    position = fields.Nested(PatientPosition, allow_none=True, load_default=None)
    instruments = fields.List(
        fields.Nested(PatientInstrument), load_default=list, validate=length(0, 20)
    )
    answers = fields.Raw(load_default=dict)  # type: ignore[assignment]
    photos = fields.List(
        fields.Nested(PhotoFacts), load_default=list, validate=length(0, MOST_PHOTOS)
    )
    based_on = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=between(1, 2**31 - 1)
    )
    violations = fields.List(fields.UUID(), load_default=list, validate=length(0, MAX_ANSWERS))
    far_reason = fields.String(load_default="", allow_none=True, validate=length(0, 2000))


class PatientFields(TowerFields):
    class Meta:
        unknown = EXCLUDE


class PatientProposal(NewProposal):
    class Meta:
        unknown = EXCLUDE

    values = fields.Nested(PatientFields, required=True)


class DiscardSchema(Patient):
    id = fields.UUID(required=True)


VISIT, PROPOSAL, DISCARD = PatientVisit(), PatientProposal(), DiscardSchema()
ANSWER, UPLOAD = PatientAnswer(), UploadFacts()


def loaded(schema: Schema, given: Any) -> dict[str, Any]:
    """What a schema makes of a value; raises `Invalid`."""
    try:
        data: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        raise Invalid(fields=flat_messages(error.messages)) from error
    return data


def answers_of(given: Any) -> dict[str, dict[str, Any]]:
    """The answers of a visit. Forty are looked at in the time that the schema needs for one; what
    is not plainly right is left to it. Raises `Invalid`."""
    if not isinstance(given, dict) or len(given) > MAX_ANSWERS:
        message = N_("There are too many answers")
        raise Invalid(message, fields={"answers": [message]})
    return {_key(key): _answer(key, one) for key, one in given.items()}


def _key(key: str) -> str:
    if not 1 <= len(key) <= 100:
        message = N_("The checklist has no such item")
        raise Invalid(message, fields={f"answers.{key[:100]}": [message]})
    return key


def _answer(key: str, given: Any) -> dict[str, Any]:
    if isinstance(given, dict) and given.get("outcome") in OUTCOMES:
        known = given.keys() <= {"outcome", "value"}
        if known and isinstance(given.get("value"), str | int | float | None):
            return given
    try:
        ANSWER.load(given)
    except ValidationError as error:
        texts = flat_messages(error.messages)
        raise Invalid(
            fields={f"answers.{key}.{name}": said for name, said in texts.items()}
        ) from error
    return {name: given[name] for name in ANSWER_FIELDS if name in given}


def moment_of(given: Any) -> datetime | None:
    """A moment as a phone writes it; `None` for what is none, as of a phone without a clock."""
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class Sent:
    """One operation as it stands in what was sent: not yet believed."""

    place: int
    said_id: Any
    id: uuid.UUID
    kind: str
    made_at: datetime | None
    body: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An operation that cannot even be read."""

    place: int
    said_id: Any
    error: DomainError


def read_operations(given: Any) -> tuple[list[Sent], list[Refusal]]:
    """The operations of a batch, each with its place; raises `Invalid` for what is no batch."""
    if not isinstance(given, list) or len(given) > MOST_OPERATIONS:
        message = N_("A batch has up to %(most)s operations")
        raise Invalid(message, fields={"operations": [message]}, most=MOST_OPERATIONS)
    found: list[Sent] = []
    wrong: list[Refusal] = []
    for place, one in enumerate(given):
        said_id = one.get("id") if isinstance(one, dict) else None
        try:
            number = uuid.UUID(said_id)
        except (ValueError, TypeError, AttributeError):
            error = Invalid(fields={"id": [N_("This is not a UUID.")]})
            wrong.append(Refusal(place, said_id, error))
            continue
        body = one.get("body")
        if not isinstance(body, dict):
            wrong.append(
                Refusal(place, said_id, Invalid(fields={"body": [N_("This is missing.")]}))
            )
            continue
        kind = one.get("kind")
        made_at = moment_of(one.get("made_at"))
        found.append(Sent(place, said_id, number, str(kind), made_at, body))
    return found, wrong


class UnknownKind(Invalid):
    """An operation of a kind that this version does not know."""

    code = "unknown_kind"


def settings() -> Settings:
    found: Settings = current_app.config["SETTINGS"]
    return found


def sender_of(device_at: datetime | None, now: datetime) -> Sender:
    """Who makes this request."""
    actor, device = current_actor(), current_device()
    shut = Reason(device.shut) if actor.has(SHUT_OUT) and device and device.shut else None
    return Sender(actor, Clock(device_at, now), device.device_id if device else None, shut)


def process(sent: Sequence[Sent], wrong: Sequence[Refusal], sender: Sender) -> list[dict[str, Any]]:
    """What becomes of each operation, in the order in which they were sent.

    They are taken in the order in which they were made. One that fails leaves nothing of itself
    and the others as they are.
    """
    answers: dict[int, dict[str, Any]] = {
        one.place: refusal(one.said_id, one.error) for one in wrong
    }
    kept: dict[int, Kept] = {}
    session = current_session()
    known = sync.known_receipts(session, [one.id for one in sent], by=sender.actor)
    # What every operation asks for stays in the session as long as somebody holds it.
    settings_held = [session.get(Setting, key) for key in ASKED]
    for one in in_order(sent):
        try:
            try:
                kept[one.place] = _kept(one, sender, known)
            except IntegrityError:
                # Somebody else wrote the same in the same moment: now it is there to be seen.
                kept[one.place] = _kept(one, sender, known)
        except Exception as error:  # one bad item never blocks the others
            wrong_with_it = as_domain_error(error)
            if wrong_with_it.status >= 500:
                structlog.get_logger().error(
                    "operation failed", operation=str(one.id), exc_info=error
                )
            answers[one.place] = refusal(one.said_id, wrong_with_it)
    del settings_held
    safe = sync.safe_photos(current_session(), [each.receipt for each in kept.values()])
    places = {one.place: one for one in sent}
    for place, done in kept.items():
        answers[place] = {
            "id": places[place].said_id,
            "verdict": done.verdict,
            "code": done.receipt.verdict,
            "title": translate(TITLES[Verdict(done.receipt.verdict)]),
            "receipt": receipt_body(done.receipt, safe),
        }
    return [answers[place] for place in sorted(answers)]


TITLES = {
    Verdict.ACCEPTED: N_("Safe with the department"),
    Verdict.REVIEW: N_("Kept: the department decides about it"),
    Verdict.QUARANTINED: N_("Kept: this phone was shut out, the department decides about it"),
}


def refusal(said_id: Any, error: DomainError) -> dict[str, Any]:
    """The answer for an operation that stays on the phone."""
    verdict = Verdict.RETRY if error.status >= 500 or error.status == 429 else Verdict.REFUSED
    answer: dict[str, Any] = {
        "id": said_id,
        "verdict": verdict,
        "code": error.code,
        "title": error.text(),
    }
    if error.fields:
        answer["fields"] = field_texts(error)
    if error.facts:
        answer["facts"] = error.facts
    return answer


# The settings that an inspection of a phone is looked at by.
ASKED = ("clock_skew_s", "emergency_hours", "two_inspectors_days")


def _kept(one: Sent, sender: Sender, known: Mapping[tuple[uuid.UUID, bytes], Kept]) -> Kept:
    """Do one operation in a transaction of its own; `known` are the receipts that it may have."""
    if one.kind not in set(OperationKind):
        raise UnknownKind(N_("This kind of operation is not known here"))
    kind = OperationKind(one.kind)
    subject = _number(one.body.get("id"))
    operation = Operation(id=one.id, kind=kind, made_at=one.made_at, body=one.body, subject=subject)
    before = known.get((operation.id, operation.content))
    if before is not None:
        return before
    with transaction() as session:
        if sender.shut is not None:
            operation = replace(operation, photos=_photos(one.body.get("photos")))
            return sync.quarantine(session, operation, sender)
        if kind is OperationKind.PROPOSAL:
            number, finding = proposal_of(one.body)
            return sync.keep_proposal(session, operation, number, finding, sender)
        if kind is OperationKind.DISCARD:
            return sync.keep_discard(session, operation, loaded(DISCARD, one.body)["id"], sender)
        data = loaded(VISIT, one.body)
        visit = phone_visit(session, data, one.body, sender.clock)
        operation = replace(operation, photos=_named(visit.declared))
        return sync.keep_inspection(
            session,
            operation,
            data["id"],
            held_tower(session, sender.actor, data["tower"]),
            visit,
            based_on=data["based_on"],
            violations=data["violations"],
            sender=sender,
            zone=clock.zone(),
        )


def proposal_of(body: Mapping[str, Any]) -> tuple[uuid.UUID, Finding]:
    """The finding in the body of a proposal, with its number; raises `Invalid`."""
    data = loaded(PROPOSAL, body)
    return data["id"], finding_of(data)


def visit_of(
    session: Session, reader: Actor, body: dict[str, Any], device: Clock
) -> tuple[Tower, Visit]:
    """The visit in the body of an inspection, with its tower; raises `Invalid`."""
    data = loaded(VISIT, body)
    return tower_of(session, reader, data["tower"]), phone_visit(session, data, body, device)


def phone_visit(
    session: Session, data: dict[str, Any], body: dict[str, Any], device: Clock
) -> Visit:
    """The visit of a phone. Where its clock was off, its day is that of ours; what it said stays in
    the body."""
    data["answers"] = answers_of(data["answers"])
    visit = visit_from(data, body, device_at=device.device_at)
    day = visit.inspected_on
    if device.is_skewed(int(store.value_of(session, "clock_skew_s"))):
        day = min(device.day(day, clock.zone()), device.received_at.astimezone(clock.zone()).date())
    return replace(
        visit,
        inspected_on=day,
        declared=_declared(data["photos"]),
        far_reason=(data["far_reason"] or "").strip(),
        clock_offset_s=device.offset_s,
    )


def _declared(photos: Sequence[Mapping[str, Any]]) -> tuple[Declared, ...]:
    found = {one["id"]: one for one in photos}
    if len(found) < len(photos):
        message = N_("A photo stands twice in this record")
        raise Invalid(message, fields={"photos": [message]})
    return tuple(
        Declared(one["id"], one["item"], bytes.fromhex(one["sha256"]), one["byte_size"])
        for one in found.values()
    )


def _named(photos: Sequence[Declared]) -> tuple[dict[str, str], ...]:
    return tuple({"id": str(one.id), "sha256": one.sha256.hex()} for one in photos)


def _photos(given: Any) -> tuple[dict[str, str], ...]:
    """The photos that a body names, of one that nobody has checked."""
    found = []
    for one in given if isinstance(given, list) else ():
        number = _number(one.get("id")) if isinstance(one, dict) else None
        if number is not None and isinstance(one.get("sha256"), str):
            found.append({"id": str(number), "sha256": one["sha256"].lower()[:64]})
    return tuple(found[:MOST_PHOTOS])


def _number(given: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(given)
    except (ValueError, TypeError, AttributeError):
        return None


def held_tower(session: Session, reader: Actor, code: str) -> Tower:
    """The same, held by this transaction: one writer a tower."""
    found = None if "\x00" in code else towers.hold_by_code(session, reader, code)
    return found or towers.hold(session, tower_of(session, reader, code).id)


def tower_of(session: Session, reader: Actor, code: str) -> Tower:
    """The tower with a code, or the one that it was merged into since the phone was online."""
    found = None if "\x00" in code else merges.current(session, reader, code)
    if found is None:
        message = N_("There is no tower with the code %(code)s in your territory")
        raise Invalid(message, fields={"tower": [message]}, code=code)
    return found


# Receipts


def receipt_body(receipt: Receipt, safe: set[tuple[str, str]]) -> dict[str, Any]:
    """A receipt as a phone keeps it, signed; `safe` are the photos that are here whole."""
    photos = [
        {**one, "state": "safe" if (one["id"], one["sha256"]) in safe else "waiting"}
        for one in receipt.photos
    ]
    said: dict[str, Any] = {
        "operation": str(receipt.operation_id),
        "verdict": receipt.verdict,
        "content_sha256": receipt.content_sha256.hex(),
        "photos": photos,
        "received_at": receipt.received_at.isoformat(),
        "complete": all(one["state"] == "safe" for one in photos),
    }
    if receipt.inspection_id is not None:
        said["inspection"] = str(receipt.inspection_id)
    if receipt.version is not None:
        said["version"] = receipt.version
    return {**said, "signature": signature(said)}


def signature(said: Mapping[str, Any]) -> str:
    """HMAC-SHA256 over the JSON of a receipt with its keys in order, by a key of this instance."""
    key = kept_secret(settings().instance / "receipt-key").encode()
    return hmac.digest(key, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), "sha256").hex()


# Photos


def pieces() -> Path:
    """Where the pieces of photos lie until they are whole."""
    return settings().instance / "field"


def upload_facts(given: Any) -> Facts:
    data = loaded(UPLOAD, given)
    return Facts(
        id=data["id"],
        inspection_id=data["inspection"],
        item_key=data["item"],
        sha256=bytes.fromhex(data["sha256"]),
        byte_size=data["byte_size"],
        media_type=data["media_type"] or "",
        source=PhotoSource.CAMERA if data["source"] == PhotoSource.CAMERA else PhotoSource.FILE,
        taken_at=data["taken_at"],
        latitude=data["latitude"],
        longitude=data["longitude"],
        accuracy_m=data["accuracy_m"],
    )


def finish(upload: Upload, by: Actor, kept: FileStore | None = None) -> Standing:
    """Keep a photo all of whose bytes are there. Nothing of it is seen before; the files come
    first, then the row, then the pieces go.

    One request does it at a time; another one that brought the last piece as well waits, and finds
    it done.
    """
    session, number = current_session(), upload.id
    size, sha256 = upload.byte_size, upload.sha256
    path = uploads.path_of(pieces(), number)
    try:
        with uploads.alone(path) as file:
            session.expire_all()
            standing = uploads.standing(session, number, folder=pieces(), by=by)
            if standing.safe or standing.offset < size:
                return standing
            # Nothing is held in the database while the picture is decoded.
            session.rollback()
            picture = uploads.whole_picture(sha256, path, file, kept or photo_store())
            with transaction() as session:
                uploads.settle_whole(session, number, picture, by=by, now=clock.now())
            uploads.forget_pieces(path)
            return Standing(size, True)
    except FileNotFoundError:
        session.expire_all()
        return uploads.standing(session, number, folder=pieces(), by=by)


# The queue of a phone as a file

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
    user_id = _number(said.get("id") if isinstance(said, dict) else said)
    user = session.get(User, user_id) if user_id else None
    if user is None or not any(role.name == "inspector" for role in user.roles):
        raise Invalid(fields={"file": [N_("The inspector of this queue is not known here")]})
    named = given.get("device")
    device_id = _number(named.get("id") if isinstance(named, dict) else named)
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
