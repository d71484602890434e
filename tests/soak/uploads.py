"""P5: photos are whole or absent: uploads that are cut anywhere leave nothing that is seen."""

from __future__ import annotations

import random
import socket
import struct
import time
import uuid
from collections.abc import Iterator

from tests.soak.figures import Found
from tests.soak.ledger import Ledger
from tests.soak.phones import Phone, multipart
from tests.soak.province import Photo, new_id, picture, settle, submission
from tests.soak.running import Running, waited

UPLOADS = 500
# The side of the noise in pixels: photos of some 60 KB, which arrive in pieces.
SIZE = 220


def measure(running: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    number = max(20, round(UPLOADS * scale))
    (inspector,) = settle(running, inspectors=1, towers=2, prefix="U")
    one = submission(inspector, chance, with_photo=False)
    ledger = Ledger(running.instance / "soak-uploads.jsonl")
    phone = Phone(running.port, inspector.token, ledger, chance)
    phone.insist(lambda: phone.send_inspection(one))
    begun = time.monotonic()
    photos = [Photo(new_id(chance), picture(chance, SIZE)) for _ in range(number)]
    cut = 0
    for photo in photos:
        cut += send_cut(running, inspector.token, one.id, photo, chance)
    # The threads that read them notice the cut a moment later.
    waited(lambda: not arriving(running), "nothing is half-received", 60, running)
    seen = fragments(running, phone, one.id, photos)
    yield Found(
        "P5",
        f"{cut} uploads cut, {seen} fragments visible ({time.monotonic() - begun:.0f} s)",
        cut == number and seen == 0,
    )
    # The same photos, sent again as phones do, are there and whole.
    again = photos[:: max(1, number // 50)]
    for photo in again:
        phone.insist(lambda photo=photo: phone.send_photo(one, photo))
    whole = sum(stored(running, photo) for photo in again)
    ledger.close()
    yield Found("P5", f"{len(again)} of them sent again, {whole} whole", whole == len(again))


def send_cut(
    running: Running, token: str, inspection: uuid.UUID, photo: Photo, chance: random.Random
) -> bool:
    """Send an upload up to a random byte, then hang up in one of two ways."""
    boundary, body = multipart(inspection, photo)
    head = (
        f"POST /api/v1/photos HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(head + body[: chance.randrange(len(body))])
        if chance.random() < 0.5:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return True


def arriving(running: Running) -> list[str]:
    folder = running.instance / "photos"
    return [str(one) for one in folder.rglob(".*")] if folder.exists() else []


def stored(running: Running, photo: Photo) -> bool:
    path = running.instance / "photos" / photo.sha256[:2] / photo.sha256
    return path.exists() and path.read_bytes() == photo.content


def fragments(running: Running, phone: Phone, inspection: uuid.UUID, photos: list[Photo]) -> int:
    """What can be seen of photos that never arrived: rows, files, what the API gives."""
    ids = [one.id for one in photos]
    with running.connect() as connection:
        found = connection.execute("SELECT count(*) FROM photo WHERE id = ANY(%s)", (ids,))
        rows = int((found.fetchone() or (0,))[0])
    files = len([one for one in (running.instance / "photos").rglob("*") if one.is_file()])
    status, content = phone.request("GET", f"/api/v1/photos?inspection={inspection}")
    listed = content.count(b'"sha256"') if status == 200 else 1
    shown = sum(
        phone.request("GET", f"/api/v1/photos/{one.id}/original")[0] != 404 for one in photos[:50]
    )
    return rows + files + listed + shown
