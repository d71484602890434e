"""Photos that come in pieces: nothing of one is seen before it is whole, and no piece comes twice.

The pieces lie in one file under the id of the photo; its size says how far the upload has come. The
order is always file, then row: a process that is killed anywhere leaves either what can be gone on
with, or a file that no row names.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BufferedRandom
from pathlib import Path

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import store
from core.errors import Conflict, Invalid, NotFound, TooLarge
from core.files import FileStore
from core.i18n import N_
from core.pictures import Picture, confined_picture
from core.policy import Actor
from inspections.field_models import DeclaredPhoto, ReviewItem, Upload
from inspections.models import Inspection, Photo
from inspections.rules.evidence import PhotoSource
from inspections.rules.sync import Reason
from inspections.services.photos import write_row

PIECE = 64 * 1024
# What takes photos that it did not declare: later they would change what staff accepted.
TAKES_MORE = ("draft", "submitted", "returned")
# So many photos of one phone wait at most after it was shut out.
MOST_KEPT = 2_000
CLEAR_BATCH = 500


@dataclass(frozen=True)
class Facts:
    """What a phone says of a photo that it is going to send."""

    id: uuid.UUID
    inspection_id: uuid.UUID
    item_key: str | None
    sha256: bytes
    byte_size: int
    media_type: str = ""
    source: PhotoSource = PhotoSource.FILE
    taken_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    accuracy_m: float | None = None


@dataclass(frozen=True)
class Standing:
    """How far a photo has come. `safe` means whole, checked and kept."""

    offset: int
    safe: bool

    @property
    def state(self) -> str:
        return "safe" if self.safe else "waiting"


class WrongOffset(Conflict):
    """The piece does not begin where the file ends."""

    code = "wrong_offset"


class DifferentPhoto(Conflict):
    """Another photo under a known id."""

    code = "different_photo"


class HashMismatch(Invalid):
    """All bytes came, and they are not those of the photo: it begins again."""

    code = "hash_mismatch"


def path_of(folder: Path, photo_id: uuid.UUID) -> Path:
    """Where the pieces of a photo lie."""
    return folder / f"{photo_id}.part"


def hold(session: Session, inspection_id: uuid.UUID) -> None:
    """Hold what belongs to an inspection, which need not be there yet, to the transaction's end.

    Whoever writes the inspection and whoever brings the last piece of a photo of it must see each
    other, or the photo would stay without its inspection.
    """
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 29))"), {"id": str(inspection_id)}
    )


def begin(
    session: Session,
    facts: Facts,
    *,
    folder: Path,
    max_bytes: int,
    by: Actor,
    now: datetime,
    device_id: uuid.UUID | None = None,
    quarantined: bool = False,
) -> tuple[Standing, bool]:
    """Begin an upload or go on with it; returns how far it is and whether it is new.

    Raises `DifferentPhoto` where the id is that of another photo, `NotFound` for the inspection of
    somebody else.
    """
    if facts.byte_size > max_bytes:
        raise TooLarge(N_("A photo may have at most %(limit)s MB"), limit=max_bytes // 1_000_000)
    owner = session.scalar(
        select(Inspection.inspector_id).where(Inspection.id == facts.inspection_id)
    )
    if owner is not None and owner != by.id:
        raise NotFound()
    known = session.execute(
        select(Photo.inspection_id, Photo.sha256, Photo.by_id).where(Photo.id == facts.id)
    ).one_or_none()
    if known is not None:
        if tuple(known) != (facts.inspection_id, facts.sha256, by.id):
            raise DifferentPhoto(N_("Another photo was sent under this number before"))
        return Standing(facts.byte_size, True), False
    declared = session.execute(
        select(DeclaredPhoto.inspection_id, DeclaredPhoto.sha256).where(
            DeclaredPhoto.id == facts.id
        )
    ).one_or_none()
    if declared is not None and tuple(declared) != (facts.inspection_id, facts.sha256):
        raise DifferentPhoto(N_("The inspection names another photo by this number"))
    if quarantined:
        _require_room(session, by)
    made = session.execute(
        insert(Upload)
        .values(
            id=facts.id,
            inspection_id=facts.inspection_id,
            item_key=facts.item_key,
            sha256=facts.sha256,
            byte_size=facts.byte_size,
            media_type=facts.media_type,
            source=facts.source,
            taken_at=facts.taken_at,
            latitude=facts.latitude,
            longitude=facts.longitude,
            accuracy_m=facts.accuracy_m,
            by_id=by.id,
            device_id=device_id,
            quarantined=quarantined,
            begun_at=now,
            touched_at=now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Upload.id)
    ).scalar()
    if made is not None and session.get(Photo, facts.id, populate_existing=True) is not None:
        # Another request finished it since it was looked for.
        session.delete(session.get_one(Upload, facts.id))
        return Standing(facts.byte_size, True), False
    upload = _own(session, facts.id, by)
    if (upload.inspection_id, upload.sha256, upload.byte_size) != (
        facts.inspection_id,
        facts.sha256,
        facts.byte_size,
    ):
        raise DifferentPhoto(N_("Another photo was sent under this number before"))
    if upload.whole_at is None and upload.quarantined != quarantined:
        # Who brings it now decides: a phone that was shut out, or one that its person signed in.
        upload.quarantined = quarantined
        session.flush()
    return _standing(upload, folder), made is not None


def standing(session: Session, photo_id: uuid.UUID, *, folder: Path, by: Actor) -> Standing:
    """How far one's own photo has come; raises `NotFound` for one that was never begun."""
    # Another request may finish it meanwhile: then the photo is there once the upload is gone.
    upload = session.get(Upload, photo_id, populate_existing=True)
    if upload is not None and upload.by_id == by.id:
        return _standing(upload, folder)
    size = session.scalar(select(Photo.byte_size).where(Photo.id == photo_id, Photo.by_id == by.id))
    if size is None:
        raise NotFound()
    return Standing(size, True)


def touch(
    session: Session, photo_id: uuid.UUID, *, by: Actor, now: datetime, quarantined: bool = False
) -> Upload | None:
    """The upload that pieces are brought for, marked as alive; `None` where the photo is safe."""
    # Held, so that it is still there when it is marked.
    upload = session.get(Upload, photo_id, populate_existing=True, with_for_update=True)
    if upload is None or upload.by_id != by.id:
        if session.scalar(select(Photo.id).where(Photo.id == photo_id, Photo.by_id == by.id)):
            return None
        raise NotFound()
    if upload.whole_at is not None:
        return None
    upload.touched_at, upload.quarantined = now, quarantined
    session.flush()
    return upload


def _own(session: Session, photo_id: uuid.UUID, by: Actor) -> Upload:
    upload = session.get(Upload, photo_id, populate_existing=True)
    if upload is None or upload.by_id != by.id:
        raise NotFound()
    return upload


def _standing(upload: Upload, folder: Path) -> Standing:
    if upload.whole_at is not None:
        return Standing(upload.byte_size, True)
    return Standing(size_of(path_of(folder, upload.id)), False)


def _require_room(session: Session, by: Actor) -> None:
    waiting = session.scalar(
        select(func.count()).select_from(Upload).where(Upload.by_id == by.id, Upload.quarantined)
    )
    if (waiting or 0) >= MOST_KEPT:
        raise TooLarge(N_("Too many photos of this phone wait for the department already"))


def size_of(path: Path) -> int:
    """How many bytes have come; 0 before the first."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def alone(path: Path, *, create: bool = False) -> Iterator[BufferedRandom]:
    """The file of pieces, held against other requests for the same photo.

    Raises `FileNotFoundError` where there is none, as once its photo is kept elsewhere.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Who held it before may have removed it: what is written there nobody would find.
            if os.fstat(file.fileno()).st_nlink:
                yield file
                return


def append(path: Path, offset: int, whole: int, read: Callable[[int], bytes]) -> int:
    """Add what comes to the pieces that are there; returns how many bytes there are then.

    Each piece is written as it comes, so that a connection that is cut, where `read` gives nothing
    more, costs what was under way and nothing else. Raises `WrongOffset` with the right `offset`,
    and `TooLarge` where more comes than the photo has.
    """
    at = offset
    while True:
        piece = read(PIECE)
        try:
            with alone(path, create=at == 0) as file:
                size = file.seek(0, os.SEEK_END)
                if size != at:
                    raise WrongOffset(N_("The photo goes on somewhere else"), offset=size)
                if size + len(piece) > whole:
                    raise TooLarge(N_("More bytes came than the photo has"), offset=size)
                if not piece:
                    file.flush()
                    os.fsync(file.fileno())
                    return size
                file.write(piece)
        except FileNotFoundError as error:
            raise WrongOffset(N_("The photo goes on somewhere else"), offset=0) from error
        at += len(piece)


def whole_picture(sha256: bytes, path: Path, file: BufferedRandom, kept: FileStore) -> Picture:
    """The picture with this hash all of whose bytes came, checked and with its files in place.

    `file` is that at `path`, held (`alone`). Raises `HashMismatch` after it has emptied the file,
    and as `confined_picture` for what is no picture.
    """
    file.seek(0)
    if hashlib.file_digest(file, "sha256").digest() != sha256:
        file.truncate(0)
        os.fsync(file.fileno())
        raise HashMismatch(
            N_("The photo did not arrive as it was sent: send it again"),
            fields={"sha256": [N_("The hash does not match the photo")]},
            offset=0,
        )
    picture = confined_picture(path, max_bytes=kept.max_bytes, max_pixels=kept.max_pixels)
    kept.write(kept.path(picture.sha256), picture.content)
    picture.write_copies(kept)
    return picture


def settle_whole(
    session: Session, upload_id: uuid.UUID, picture: Picture, *, by: Actor, now: datetime
) -> None:
    """Keep a photo whose files are in place; with its inspection where that takes it.

    Another request may have done the same meanwhile: then nothing is left to do.
    """
    upload = session.scalar(
        select(Upload)
        .where(Upload.id == upload_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if upload is None or upload.whole_at is not None:
        return
    hold(session, upload.inspection_id)
    upload.whole_at = now
    upload.media_type = picture.media_type
    upload.width, upload.height = picture.width, picture.height
    session.flush()
    inspection = session.get(Inspection, upload.inspection_id, populate_existing=True)
    if inspection is None:
        return
    if upload.quarantined:
        _keep_for_staff(session, upload, inspection, now=now)
        return
    attach(session, inspection, by=by, now=now)


def _keep_for_staff(
    session: Session, upload: Upload, inspection: Inspection, *, now: datetime
) -> None:
    """A photo of a phone that was shut out, for an inspection that was there before."""
    revoked = session.scalar(
        text("SELECT revoked_at IS NOT NULL FROM device WHERE id = :id"), {"id": upload.device_id}
    )
    session.execute(
        insert(ReviewItem)
        .values(
            reason=Reason.REVOKED_DEVICE if revoked else Reason.DISABLED_ACCOUNT,
            kind="photo",
            operation_id=upload.id,
            inspection_id=inspection.id,
            tower_id=inspection.tower_id,
            body={
                "item": upload.item_key,
                "sha256": upload.sha256.hex(),
                "byte_size": upload.byte_size,
                "source": upload.source,
                "taken_at": upload.taken_at.isoformat() if upload.taken_at else None,
            },
            body_hash=upload.sha256,
            by_id=upload.by_id,
            device_id=upload.device_id,
            received_at=now,
        )
        .on_conflict_do_nothing()
    )


def attach(
    session: Session,
    inspection: Inspection,
    *,
    by: Actor,
    now: datetime,
    quarantined: bool = False,
    only: uuid.UUID | None = None,
) -> int:
    """Give an inspection its photos that have come whole; returns how many.

    One that was accepted takes only what it declared. `quarantined` takes those of phones that
    were shut out as well, as staff decided; `only` takes one alone.
    """
    wanted = (
        select(Upload, DeclaredPhoto.id)
        .outerjoin(
            DeclaredPhoto,
            (DeclaredPhoto.id == Upload.id) & (DeclaredPhoto.sha256 == Upload.sha256),
        )
        .where(
            Upload.inspection_id == inspection.id,
            Upload.whole_at.is_not(None),
            Upload.by_id == inspection.inspector_id,
        )
        .order_by(Upload.id)
    )
    if not quarantined:
        wanted = wanted.where(~Upload.quarantined)
    if only is not None:
        wanted = wanted.where(Upload.id == only)
    taken = [
        upload
        for upload, declared in session.execute(wanted).all()
        if declared is not None or quarantined or inspection.status in TAKES_MORE
    ]
    for upload in taken:
        write_row(
            session,
            inspection,
            upload.id,
            by=by,
            now=now,
            item_key=upload.item_key,
            sha256=upload.sha256,
            media_type=upload.media_type,
            byte_size=upload.byte_size,
            width=upload.width,
            height=upload.height,
            original_name="",
            by_id=upload.by_id,
            received_at=upload.whole_at,
            source=upload.source,
            taken_at=upload.taken_at,
            latitude=upload.latitude,
            longitude=upload.longitude,
            accuracy_m=upload.accuracy_m,
        )
    if taken:
        numbers = [upload.id for upload in taken]
        arrived(session, inspection.id, numbers, now=now)
        for upload in taken:
            session.expunge(upload)
        session.execute(
            delete(Upload)
            .where(Upload.id.in_(numbers))
            .execution_options(synchronize_session=False)
        )
        session.expire(inspection, ["photos"])
    return len(taken)


def arrived(
    session: Session, inspection_id: uuid.UUID, photo_ids: Sequence[uuid.UUID], *, now: datetime
) -> None:
    """Count photos of an inspection as no longer waiting."""
    session.execute(
        update(DeclaredPhoto)
        .where(
            DeclaredPhoto.inspection_id == inspection_id,
            DeclaredPhoto.id.in_(photo_ids),
            DeclaredPhoto.arrived_at.is_(None),
        )
        .values(arrived_at=now)
        .execution_options(synchronize_session=False)
    )


def forget_pieces(path: Path) -> None:
    """Remove the file of pieces once its photo is kept elsewhere; none is no error."""
    path.unlink(missing_ok=True)


def abandoned(session: Session, *, now: datetime) -> list[uuid.UUID]:
    """Forget uploads that nobody went on with for `partial_upload_days`; returns their ids.

    Their files are removed afterwards (`forget_pieces`). What is whole is never forgotten.
    """
    days = int(store.value_of(session, "partial_upload_days"))
    return list(
        session.scalars(
            delete(Upload)
            .where(
                Upload.id.in_(
                    select(Upload.id)
                    .where(
                        Upload.whole_at.is_(None), Upload.touched_at < now - timedelta(days=days)
                    )
                    .order_by(Upload.touched_at)
                    .limit(CLEAR_BATCH)
                    .with_for_update(skip_locked=True)
                )
            )
            .returning(Upload.id)
            .execution_options(synchronize_session=False)
        )
    )


def without_rows(session: Session, ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Which of these are the pieces of no upload: their photo is kept, or they were forgotten."""
    waiting = set(
        session.scalars(select(Upload.id).where(Upload.id.in_(ids), Upload.whole_at.is_(None)))
    )
    return [one for one in ids if one not in waiting]
