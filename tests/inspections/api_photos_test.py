"""Photos through the API: whole or absent, without hidden data, and never somebody else's."""

from __future__ import annotations

import hashlib
import io
import struct
import uuid
import zlib
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import confined, pictures
from core.confined_child import Refused
from core.picture_child import decoded
from core.settings import Settings
from inspections.models import Photo
from tests import doors, makers
from tests.browser.walk import vietnamese
from tests.doors import answered, counts, picture, refused, send_photo, visit
from tests.hostile import heavy_picture


@pytest.fixture
def inspector(app: Flask, session: Session) -> FlaskClient:
    doors.published(session)
    makers.tower(session, code="T-1")
    makers.tower(session, code="T-2")
    return doors.client_of(app, session, makers.user(session, "inspector"))


def draft_of(client: FlaskClient, tower: str = "T-1") -> uuid.UUID:
    number = uuid.uuid4()
    sent = {**visit(tower, submit=False), "id": str(number)}
    answered(client.post("/api/v1/inspections", json=sent), 201)
    return number


@pytest.fixture
def draft(inspector: FlaskClient) -> uuid.UUID:
    return draft_of(inspector)


def files(settings: Settings) -> set[Path]:
    return {path for path in (settings.instance / "photos").rglob("*") if path.is_file()}


def located(**options) -> bytes:
    """A JPEG that says where, when and with what it was taken."""
    image = Image.effect_noise((900, 600), 40).convert("RGB")
    exif = Image.Exif()
    exif[0x010F] = "SecretCameraMaker"
    exif[0x9286] = "SecretComment"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (10.0, 27.0, 36.0), "E", (105.0, 37.0, 48.0)
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"SecretOwner", **options)
    return out.getvalue()


def test_a_photo_is_kept_sealed_and_served_without_hidden_data(
    inspector: FlaskClient, draft: uuid.UUID, settings: Settings
) -> None:
    content, number = located(), uuid.uuid4()
    assert b"SecretCameraMaker" in content
    response = send_photo(
        inspector,
        draft,
        photo_id=number,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        item="clb_ladder",
    )
    made = answered(response, 201)
    assert response.headers["Location"] == f"/api/v1/photos/{number}"
    assert (made["width"], made["height"], made["byte_size"]) == (900, 600, len(content))
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert made["item"] == "clb_ladder"
    for variant, edge in (("full", 900), ("thumbnail", 400)):
        served = inspector.get(f"/api/v1/photos/{number}/{variant}")
        assert served.status_code == 200
        assert served.mimetype == "image/jpeg"
        assert "private" in served.headers["Cache-Control"]
        assert b"Secret" not in served.data
        with Image.open(io.BytesIO(served.data)) as copy:
            assert not copy.getexif()
            assert "exif" not in copy.info
            assert "comment" not in copy.info
            assert max(copy.size) == edge
    refused(inspector.get(f"/api/v1/photos/{number}/original"), 404)
    name = hashlib.sha256(content).hexdigest()
    sealed = settings.instance / "photos" / name[:2] / name
    assert sealed.read_bytes() == content
    listed = answered(inspector.get(f"/api/v1/photos?inspection={draft}"), 200)["items"]
    assert listed == [made]


def test_a_turned_photo_is_served_upright(inspector: FlaskClient, draft: uuid.UUID) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    number = uuid.uuid4()
    content = picture(size=(300, 200), exif=exif)
    answered(send_photo(inspector, draft, photo_id=number, content=content), 201)
    served = inspector.get(f"/api/v1/photos/{number}/full").data
    with Image.open(io.BytesIO(served)) as copy:
        assert copy.size == (200, 300)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_three_formats_are_taken(inspector: FlaskClient, draft: uuid.UUID, kind: str) -> None:
    content = picture(kind=kind)
    made = answered(send_photo(inspector, draft, content=content, name="x.bin"), 201)
    assert made["media_type"] == f"image/{kind.lower()}"


def test_sending_it_again_is_harmless(
    inspector: FlaskClient, draft: uuid.UUID, session: Session
) -> None:
    number = uuid.uuid4()
    first = answered(send_photo(inspector, draft, photo_id=number), 201)
    before = counts(session)
    assert answered(send_photo(inspector, draft, photo_id=number), 200) == first
    refused(send_photo(inspector, draft, photo_id=number, content=picture(seed="other")), 409)
    refused(send_photo(inspector, draft_of(inspector, "T-2"), photo_id=number), 409)
    after = counts(session)
    assert after["photo"] == before["photo"]
    assert answered(inspector.get(f"/api/v1/photos/{number}"), 200) == first


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is huge, and is."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    line = b"\0" * (1 + min(width, 100_000) // 8)
    packed = zlib.compress(line * min(height, 200), 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


JPEG = picture()
HOSTILE = {
    "nothing": (b"", 422),
    "text": (b"not a picture", 415),
    "html": (b"<html><script>alert(1)</script>", 415),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415),
    "gif": (picture(kind="GIF"), 415),
    "tiff": (picture(kind="TIFF"), 415),
    "bmp": (picture(kind="BMP"), 415),
    "pdf": (picture(kind="PDF"), 415),
    "zip": (b"PK\x03\x04" + b"\0" * 100, 415),
    "half": (JPEG[: len(JPEG) // 2], 422),
    "head only": (JPEG[:200], (415, 422)),
    "end cut off": (JPEG[:-20], 422),
    "half a PNG": (picture(kind="PNG")[:200], (415, 422)),
    "half a WebP": (picture(kind="WEBP")[:60], (415, 422)),
    "many pixels": (bomb(9000, 9000), 413),
    "very many pixels": (bomb(30_000, 30_000), 413),
    "more than memory": (bomb(2_000_000_000, 2_000_000_000), (413, 415, 422)),
    "no pixels": (bomb(0, 0), (415, 422)),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_what_is_no_whole_photo_leaves_nothing(
    inspector: FlaskClient, draft: uuid.UUID, session: Session, settings: Settings, kind: str
) -> None:
    content, status = HOSTILE[kind]
    before, there = counts(session), files(settings)
    refused(send_photo(inspector, draft, content=content), status)
    assert counts(session) == before
    assert files(settings) == there


def test_any_damage_is_a_refusal_or_a_photo_never_an_error() -> None:
    """Bytes turned at places that follow from a fixed sequence, headers most of all."""
    whole = {"JPEG": located(), "PNG": picture(kind="PNG"), "WEBP": picture(kind="WEBP")}
    state, statuses = 12345, set()
    for content in whole.values():
        for _ in range(40):
            damaged = bytearray(content)
            for _ in range(6):
                state = (1103515245 * state + 12345) % 2**31
                reach = len(damaged) if state % 3 == 0 else min(len(damaged), 400)
                damaged[state // 7 % reach] = state // 11 % 256
            try:
                decoded(io.BytesIO(damaged), max_pixels=10_000_000)
            except Refused as error:
                statuses.add(error.status)
    assert {415, 422} <= statuses <= {413, 415, 422}


def test_a_picture_that_breaks_its_decoder_is_refused(
    inspector: FlaskClient, draft: uuid.UUID, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What eats memory, turns for ever or crashes does so in a process of its own."""
    before = counts(session)
    for limit, value, says in (
        ("MEMORY_BYTES", 150_000_000, confined.TOO_MUCH_MEMORY),
        ("PATIENCE_SECONDS", 0.01, confined.TOO_LONG),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(pictures, limit, value)
            answer = send_photo(inspector, draft, content=heavy_picture(), name="a.png")
            sent = refused(answer, 422)
        assert sent["detail"] == vietnamese(says)
    assert counts(session) == before


def test_a_photo_that_changed_on_its_way_is_refused(
    inspector: FlaskClient, draft: uuid.UUID, session: Session, settings: Settings
) -> None:
    before, there = counts(session), files(settings)
    content = picture(seed="on its way")
    for sha256 in (hashlib.sha256(b"other").hexdigest(), "zz", "ab", "0" * 63, "é"):
        problem = refused(send_photo(inspector, draft, content=content, sha256=sha256), 422)
        assert list(problem["fields"]) == ["sha256"]
    assert counts(session) == before
    assert files(settings) == there


def test_too_many_bytes_are_413(
    app: Flask, inspector: FlaskClient, draft: uuid.UUID, session: Session
) -> None:
    from dataclasses import replace

    usual = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(usual, max_photo_bytes=2000)
    before = counts(session)
    try:
        refused(send_photo(inspector, draft, content=located()), 413)
    finally:
        app.config["SETTINGS"] = usual
    assert counts(session) == before


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "..\\..\\x.jpg",
        "/etc/cron.d/x",
        "a\x00b.jpg",
        "x" * 5000,
        "",
        ".",
        "{{31337*31337}}.jpg",
        "<script>.jpg",
        "a\r\nSet-Cookie: x=1.jpg",
        "\u202egpj.exe",
        "ảnh hiện trường.jpg",
    ],
)
def test_hostile_names_reach_no_path(
    inspector: FlaskClient, draft: uuid.UUID, session: Session, settings: Settings, name: str
) -> None:
    there = files(settings)
    response = send_photo(inspector, draft, content=picture(seed=name), name=name)
    assert response.status_code in {201, 422}, response.status_code
    digest = hashlib.sha256(picture(seed=name)).hexdigest()
    for path in files(settings) - there:
        assert path.name.startswith(digest), path
    session.commit()
    for photo in session.scalars(select(Photo)):
        assert len(photo.original_name) <= 200
        assert "/" not in photo.original_name
        assert "\\" not in photo.original_name


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"id": "1"}, "id"),
        ({"id": ""}, "id"),
        ({"inspection": "x"}, "inspection"),
        ({"item": "no_such_item"}, "item"),
        ({"item": "x" * 500}, "item"),
        ({"item": "a\x00"}, "item"),
    ],
)
def test_wrong_fields_are_named(
    inspector: FlaskClient,
    draft: uuid.UUID,
    session: Session,
    fields: dict[str, str],
    named: str,
) -> None:
    before = counts(session)
    data = {
        "id": str(uuid.uuid4()),
        "inspection": str(draft),
        "file": (io.BytesIO(JPEG), "x.jpg"),
        **fields,
    }
    problem = refused(inspector.post("/api/v1/photos", data=data), 422)
    assert list(problem["fields"]) == [named]
    assert counts(session) == before


def test_a_request_without_a_file_or_form_is_refused(
    inspector: FlaskClient, draft: uuid.UUID, session: Session
) -> None:
    before = counts(session)
    fields = {"id": str(uuid.uuid4()), "inspection": str(draft)}
    refused(inspector.post("/api/v1/photos", data=fields), 422)
    refused(inspector.post("/api/v1/photos", json=fields), (415, 422))
    refused(
        inspector.post(
            "/api/v1/photos",
            data=b"--x\r\nbroken",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
        (400, 422),
    )
    assert counts(session) == before


def test_an_upload_that_is_cut_off_leaves_nothing(
    inspector: FlaskClient, draft: uuid.UUID, session: Session, settings: Settings
) -> None:
    """The body ends before its announced length, at places all over it."""
    number, boundary = uuid.uuid4(), "bien"
    content = picture(seed="cut", size=(200, 150))
    part = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = (
        f'{part}"id"\r\n\r\n{number}\r\n{part}"inspection"\r\n\r\n{draft}\r\n'
        f'{part}"file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    before, there = counts(session), files(settings)
    for cut in [*range(0, len(body) - 30, 97), len(body) - 30, len(body) - 21]:
        response = inspector.post(
            "/api/v1/photos",
            input_stream=io.BytesIO(body[:cut]),
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(body)),
            },
        )
        assert 400 <= response.status_code < 500, (cut, response.status_code)
    assert counts(session) == before
    assert files(settings) == there


def test_a_picture_that_was_sent_for_another_tower_is_flagged(
    inspector: FlaskClient, session: Session, app: Flask
) -> None:
    first, again, other = draft_of(inspector), draft_of(inspector), draft_of(inspector, "T-2")
    content = picture(seed="one mast")
    alone = answered(send_photo(inspector, first, content=content), 201)
    assert (alone["reused"], alone["also_towers"]) == (False, [])
    same_tower = answered(send_photo(inspector, again, content=content), 201)
    assert same_tower["reused"] is False
    elsewhere = answered(send_photo(inspector, other, content=content), 201)
    assert (elsewhere["reused"], elsewhere["also_towers"]) == (True, ["T-1"])
    listed = answered(inspector.get(f"/api/v1/photos?inspection={first}"), 200)
    assert listed["items"][0]["also_towers"] == ["T-2"]
    page = inspector.get(f"/inspections/{other}?lang=en").get_data(as_text=True)
    assert "The same picture was sent for another tower" in page
    assert "T-1" in page


def test_the_flag_does_not_name_a_tower_outside_the_territory(world: doors.World) -> None:
    content = picture(seed="both")
    for role, place in (("inspector", world.here), ("elsewhere", world.there)):
        number = uuid.uuid4()
        sent = {**visit(place.tower.code, submit=False), "id": str(number)}
        answered(world[role].post("/api/v1/inspections", json=sent), 201)
        body = answered(send_photo(world[role], number, content=content), 201)
    assert (body["reused"], body["also_towers"]) == (True, [])
