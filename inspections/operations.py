"""The operations of an offline queue, as the doors take them: each in its transaction, each with a
receipt that is signed."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import structlog
from flask import current_app
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts.rules import SHUT_OUT
from accounts.security import current_device
from core import clock, store
from core.db import current_session, transaction
from core.errors import DomainError, Invalid
from core.guard import current_actor
from core.i18n import translate
from core.policy import Actor
from core.problems import as_domain_error, field_texts
from core.settings import Settings, kept_secret
from core.store import Setting
from core.words import N_
from inspections.doors import visit_from
from inspections.field_models import Receipt
from inspections.field_schemas import (
    DISCARD,
    MOST_PHOTOS,
    PROPOSAL,
    VISIT,
    answers_of,
    loaded,
    moment_of,
    number_of,
)
from inspections.rules.sync import Clock, OperationKind, Reason, Verdict, in_order
from inspections.services import sync
from inspections.services.declared import Declared
from inspections.services.record import Visit
from inspections.services.sync import Kept, Operation, Sender
from towers import services as towers
from towers.findings import finding_of
from towers.models import Tower
from towers.queries import merges
from towers.services.proposals import Finding

MOST_OPERATIONS = 100
MOST_BYTES = 2 * 1024 * 1024


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
        number = number_of(said_id)
        if number is None:
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
    subject = number_of(one.body.get("id"))
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
        number = number_of(one.get("id")) if isinstance(one, dict) else None
        if number is not None and isinstance(one.get("sha256"), str):
            found.append({"id": str(number), "sha256": one["sha256"].lower()[:64]})
    return tuple(found[:MOST_PHOTOS])


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
    settings: Settings = current_app.config["SETTINGS"]
    key = kept_secret(settings.instance / "receipt-key").encode()
    return hmac.digest(key, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), "sha256").hex()
