"""Documents of towers and proposals: whole or absent, sealed as they came, never deleted."""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, FieldText, Invalid, NotFound, TooLarge
from core.file_types import FileType, file_type
from core.files import Arrival, FileStore, bare_name
from core.i18n import N_
from core.pictures import COPIES, Picture, confined_picture
from core.policy import Actor
from towers.models import Document, Tower, TowerProposal
from towers.rules import DocumentKind

# A drawing is read at the size at which it was scanned.
DOCUMENT_COPIES = {"full": 20_000, "thumbnail": COPIES["thumbnail"]}


@dataclass(frozen=True)
class Sent:
    """A file that arrived and is of the type that its name says."""

    arrival: Arrival
    filename: str
    type: FileType
    picture: Picture | None


def checked(arrival: Arrival | None, filename: str, store: FileStore) -> Sent:
    """Check what arrived; raises `TooLarge`, `UnsupportedMedia` and `Invalid`."""
    if arrival is None:
        raise TooLarge(
            N_("A document may have at most %(limit)s MB"), limit=store.max_bytes // 2**20
        )
    if not arrival.size:
        message = N_("The file is empty")
        raise Invalid(message, fields={"file": [message]})
    name = bare_name(filename)
    known = file_type(name, arrival.path)
    picture = None
    if known.picture:
        picture = confined_picture(
            arrival.path,
            max_bytes=store.max_bytes,
            max_pixels=store.max_pixels,
            copies=DOCUMENT_COPIES,
        )
    return Sent(arrival, name, known, picture)


def _place(tower: Tower | None, proposal: TowerProposal | None) -> tuple[str, uuid.UUID]:
    """Where a document belongs, and in whose history it is written down."""
    if tower is not None:
        return "tower", tower.id
    assert proposal is not None
    return "proposal", proposal.id


def add_document(
    session: Session,
    document_id: uuid.UUID,
    sent: Sent,
    *,
    tower: Tower | None = None,
    proposal: TowerProposal | None = None,
    kind: str,
    title: str = "",
    sha256: bytes | None = None,
    store: FileStore,
    by: Actor,
    now: datetime,
) -> tuple[Document, bool]:
    """Keep a file with a tower or a proposal, under the id that its device made.

    Returns it and whether it is new. The file is kept before the row, so that no row is without
    its file. `sha256` is what the device computed; a difference is `Invalid`. The same id with
    another file is a `Conflict`. A proposal takes the files of its own proposer while it is open.
    """
    _require_place(by, tower, proposal)
    _require_whole(sent, sha256)
    values = _checked_values(kind, title, sent.filename)
    known = session.get(Document, document_id)
    if known is None:
        if proposal is not None and proposal.state != "open":
            raise Conflict(N_("This proposal is decided and takes no more files"))
        store.keep(sent.arrival)
        if sent.picture:
            sent.picture.write_copies(store)
        made = session.execute(
            insert(Document)
            .values(
                id=document_id,
                tower_id=tower.id if tower else None,
                proposal_id=proposal.id if proposal else None,
                filename=sent.filename,
                media_type=sent.type.media_type,
                byte_size=sent.arrival.size,
                sha256=sent.arrival.sha256,
                by_id=by.id,
                received_at=now,
                **values,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(Document.id)
        ).scalar()
        known = session.get_one(Document, document_id, populate_existing=True)
        if made is not None:
            where, number = _place(tower, proposal)
            audit.record(
                session,
                "document.add",
                where,
                number,
                by=by,
                now=now,
                after={"document": values["title"], "id": str(document_id), "kind": kind},
            )
            if proposal is not None:
                session.expire(proposal, ["documents"])
            return known, True
    belongs = (tower.id if tower else None, proposal.id if proposal else None)
    if (known.tower_id, known.proposal_id) != belongs or known.sha256 != sent.arrival.sha256:
        raise Conflict(N_("Another file was sent under this number before"))
    return known, False


def _require_place(by: Actor, tower: Tower | None, proposal: TowerProposal | None) -> None:
    if tower is not None:
        policy.require(by, "document.add")
        policy.require(by, "tower.view", tower)
        return
    policy.require(by, "proposal.create", proposal)
    if proposal is None or proposal.by_id != by.id:
        raise NotFound()


def _require_whole(sent: Sent, sha256: bytes | None) -> None:
    if sha256 is not None and sha256 != sent.arrival.sha256:
        raise Invalid(
            N_("The file did not arrive as it was sent: send it again"),
            fields={"sha256": [N_("The hash does not match the file")]},
        )


def _checked_values(kind: str, title: str, filename: str) -> dict[str, str]:
    """Kind and title in their one form; without a title the file's name is one."""
    title = unicodedata.normalize("NFC", title).strip() or filename.rpartition(".")[0][:300]
    wrong: dict[str, list[FieldText]] = {}
    if kind not in set(DocumentKind):
        wrong["kind"] = [N_("Choose one of the kinds")]
    if not 1 <= len(title) <= 300 or "\x00" in title:
        wrong["title"] = [N_("A title has 1 to 300 characters")]
    if wrong:
        raise Invalid(fields=wrong)
    return {"kind": kind, "title": title}


def remove_document(
    session: Session, document: Document, *, reason: str, by: Actor, now: datetime
) -> None:
    """Take a document out of sight, with a reason; file and row stay. Raises `Conflict` twice."""
    policy.require(by, "document.remove", document)
    reason = unicodedata.normalize("NFC", reason).strip()
    if not 1 <= len(reason) <= 1000 or "\x00" in reason:
        message = N_("Say why, in 1 to 1,000 characters")
        raise Invalid(message, fields={"reason": [message]})
    if document.removed_at is not None:
        raise Conflict(N_("This document was removed before"))
    document.removed_at = now
    document.removed_by_id = by.id
    document.removed_reason = reason
    session.flush()
    where, number = _place(document.tower, document.proposal)
    audit.record(
        session,
        "document.remove",
        where,
        number,
        by=by,
        now=now,
        after={"document": document.title, "id": str(document.id), "reason": reason},
    )
