"""Photos: whole or absent, sealed as they came, served without what they hide."""

from __future__ import annotations

import hashlib
import io
import uuid

import pytest
from PIL import Image
from sqlalchemy import func, select

from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.files import FileStore
from core.picture_child import decoded
from core.pictures import COPIES, read_picture
from inspections.models import Photo
from inspections.services.photos import add_photo
from inspections.services.review import accept_inspection
from tests import makers
from tests.inspections.visits import NOW, inspected, passing, picture, published, record, visit


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "photos", max_bytes=200_000, max_pixels=100_000)


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def draft(session, inspector):
    published(session)
    tower = makers.tower(session)
    return record(session, tower, visit(passing(tower), submit=False), by=inspector)


def add(session, inspection, content, store, by, photo_id=None, sha256=None, item="ant_mount"):
    return add_photo(
        session,
        photo_id or uuid.uuid4(),
        inspection,
        read_picture(io.BytesIO(content), store),
        store=store,
        item_key=item,
        original_name="ảnh trụ ../../etc/passwd.jpg",
        sha256=sha256,
        by=by,
        now=NOW,
    )


def with_position() -> bytes:
    """A JPEG whose EXIF tells where it was taken and which way up it is."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Secret camera"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (10.0, 27.0, 37.0), "E", (105.0, 38.0, 0.0)
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (10, 90, 10)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_a_photo_is_stored_whole_under_its_hash(session, draft, inspector, store) -> None:
    content = picture()
    photo, new = add(session, draft, content, store, inspector)
    digest = hashlib.sha256(content).digest()
    assert new
    assert (photo.sha256, photo.byte_size, photo.width, photo.height) == (
        digest,
        len(content),
        32,
        24,
    )
    assert store.path(digest).read_bytes() == content
    assert store.folder in store.path(digest).parents
    assert [one.id for one in draft.photos] == [photo.id]
    assert not list(store.folder.rglob(".*"))


def test_served_copies_carry_no_hidden_data_and_stand_upright(
    session, draft, inspector, store
) -> None:
    content = with_position()
    photo, _ = add(session, draft, content, store, inspector)
    with Image.open(store.path(photo.sha256)) as original:
        assert original.getexif()[0x010F] == "Secret camera"
    for variant in ("full", "thumbnail"):
        with Image.open(store.path(photo.sha256, variant)) as copy:
            assert not copy.getexif()
            assert copy.size == (20, 40)
        assert b"Secret camera" not in store.path(photo.sha256, variant).read_bytes()


def test_the_same_photo_again_is_the_first_answer_again(session, draft, inspector, store) -> None:
    number, content = uuid.uuid4(), picture()
    first, new = add(session, draft, content, store, inspector, number)
    again, new_again = add(session, draft, content, store, inspector, number)
    assert (new, new_again) == (True, False)
    assert again.id == first.id
    assert session.scalar(select(func.count()).select_from(Photo)) == 1


def test_a_resend_after_acceptance_is_still_the_first_answer(session, inspector, store) -> None:
    """The answer to the phone was lost; meanwhile staff accepted. The photo is there."""
    published(session)
    tower = makers.tower(session)
    inspection = inspected(session, tower, by=inspector)
    number, content = uuid.uuid4(), picture()
    add(session, inspection, content, store, inspector, number)
    accept_inspection(session, inspection, by=makers.actor(session, "staff"), now=NOW)
    _, new = add(session, inspection, content, store, inspector, number)
    assert not new
    with pytest.raises(Conflict):
        add(session, inspection, content, store, inspector)


def test_other_bytes_under_a_known_id_conflict(session, draft, inspector, store) -> None:
    number = uuid.uuid4()
    add(session, draft, picture(), store, inspector, number)
    with pytest.raises(Conflict):
        add(session, draft, picture((0, 0, 255)), store, inspector, number)


def test_a_photo_that_did_not_arrive_as_sent_is_refused(session, draft, inspector, store) -> None:
    with pytest.raises(Invalid) as caught:
        add(session, draft, picture(), store, inspector, sha256=hashlib.sha256(b"x").digest())
    assert "sha256" in caught.value.fields
    assert not store.folder.exists()


def test_only_the_inspector_adds_photos(session, draft, store) -> None:
    with pytest.raises(NotFound):
        add(session, draft, picture(), store, makers.actor(session, "inspector"))
    with pytest.raises(Forbidden):
        add(session, draft, picture(), store, makers.actor(session, "staff"))


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        *(("PNG", mode) for mode in ("RGB", "L", "RGBA", "P", "I;16", "1")),
        *(("JPEG", mode) for mode in ("RGB", "L", "CMYK")),
        *(("WEBP", mode) for mode in ("RGB", "RGBA")),
    ],
)
def test_every_kind_of_picture_gets_its_copies(form, mode) -> None:
    out = io.BytesIO()
    Image.new(mode, (12, 8)).save(out, form)
    made = decoded(out, max_pixels=1000)
    assert made.media_type == f"image/{form.lower()}"
    for _, copy in made.copies(COPIES):
        with Image.open(io.BytesIO(copy)) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (12, 8))


def test_a_crash_while_writing_leaves_no_fragment(store, monkeypatch) -> None:
    import os

    def broken(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", broken)
    path = store.path(hashlib.sha256(b"x").digest())
    with pytest.raises(OSError, match="full"):
        store.write(path, b"x")
    assert not path.exists()
    assert list(path.parent.iterdir()) == []
