"""Signatures under a visit: drawn on the device or given by name, never changed."""

from __future__ import annotations

import unicodedata
import uuid
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, FieldText, Invalid, NotFound
from core.files import FileStore
from core.i18n import N_
from core.pictures import Picture
from core.policy import Actor
from inspections.models import Inspection, Signature
from inspections.rules.evidence import SignaturePlace

LONGEST_NAME = 200


def sign(
    session: Session,
    signature_id: uuid.UUID,
    inspection: Inspection,
    *,
    place: str,
    name: str,
    drawn: Picture | None,
    store: FileStore,
    by: Actor,
    now: datetime,
) -> tuple[Signature, bool]:
    """Add a signature on the inspector's own device; returns it and whether it is new.

    It signs what the visit says now, as it was submitted. The name stands for itself or beside
    what was drawn. The same id with another signature is a `Conflict`.
    """
    policy.require(by, "inspection.sign", inspection)
    if inspection.inspector_id != by.id:
        raise NotFound()
    name = unicodedata.normalize("NFC", name).strip()
    wrong: dict[str, list[FieldText]] = {}
    if place not in set(SignaturePlace):
        wrong["place"] = [N_("Choose one of the answers")]
    if not 1 <= len(name) <= LONGEST_NAME or "\x00" in name:
        wrong["name"] = [N_("The name of who signs is needed, in at most 200 characters")]
    if wrong:
        raise Invalid(fields=wrong)
    known = session.get(Signature, signature_id)
    if known is None:
        if inspection.status != "submitted":
            raise Conflict(
                N_("Only a submitted inspection that is not yet reviewed can be signed"),
                status=inspection.status,
            )
        if drawn is not None:
            store.write(store.path(drawn.sha256), drawn.content)
            drawn.write_copies(store)
        made = session.execute(
            insert(Signature)
            .values(
                id=signature_id,
                inspection_id=inspection.id,
                place=place,
                name=name,
                sha256=drawn.sha256 if drawn else None,
                body_hash=inspection.body_hash,
                at=now,
                by_id=by.id,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(Signature.id)
        ).scalar()
        known = session.get_one(Signature, signature_id, populate_existing=True)
        if made is not None:
            audit.record(
                session,
                "inspection.sign",
                "inspection",
                inspection.id,
                by=by,
                now=now,
                after={"place": place, "name": name, "drawn": drawn is not None},
            )
            session.expire(inspection, ["signatures"])
            return known, True
    sent = (inspection.id, place, name, drawn.sha256 if drawn else None)
    if (known.inspection_id, known.place, known.name, known.sha256) != sent:
        raise Conflict(N_("Another signature was sent under this number before"))
    return known, False


def standing(inspection: Inspection) -> list[tuple[Signature, bool]]:
    """The last signature of each place, with whether it signs what the visit says now."""
    last = {one.place: one for one in inspection.signatures}
    return [
        (last[place], last[place].body_hash == inspection.body_hash)
        for place in SignaturePlace
        if place in last
    ]
