"""P5: photos are whole or absent: uploads that are cut anywhere leave nothing that is seen."""

from __future__ import annotations

import random
import socket
import struct
import time
import uuid
from collections.abc import Iterator

import orjson

from tests.soak.figures import Found
from tests.soak.ledger import Ledger
from tests.soak.phones import OCTETS, Phone
from tests.soak.province import Photo, new_id, picture, settle, submission
from tests.soak.running import Running, waited

UPLOADS = 500
# The side of the noise in pixels: photos of some 60 KB, which arrive in pieces.
SIZE = 220


def measure(running: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """So much of the whole soak."""
    yield from cut(running, max(20, round(UPLOADS * scale)), chance)


def cut(running: Running, number: int, chance: random.Random) -> Iterator[Found]:
    """Cut so many uploads, look for what can be seen of them, then go on with some."""
    (inspector,) = settle(running, inspectors=1, towers=2, prefix="U")
    one = submission(inspector, chance, with_photo=False)
    ledger = Ledger(running.instance / "soak-uploads.jsonl")
    phone = Phone(running.port, inspector.token, ledger, chance)
    phone.insist(lambda: phone.send_batch([one]))
    begun = time.monotonic()
    photos = [Photo(new_id(chance), picture(chance, SIZE)) for _ in range(number)]
    sent = {}
    for photo in photos:
        phone.uploading(
            "POST",
            "/api/v1/uploads",
            orjson.dumps({**photo.facts, "inspection": str(one.id)}),
            **{"Content-Type": "application/json"},
        )
        sent[photo.id] = send_cut(running, inspector.token, photo, chance)
    # The threads that read them notice the cut a moment later.
    last = [-1, 0]
    waited(lambda: settled(running, last), "nothing is on its way", 60, running)
    came = {photo.id: phone.uploading("GET", f"/api/v1/uploads/{photo.id}") for photo in photos}
    seen = fragments(running, phone, one.id, photos)
    false = sum(
        where["state"] == "safe" or where["offset"] > sent[which] for which, where in came.items()
    )
    share = sum(where["offset"] for where in came.values()) / max(1, sum(sent.values()))
    yield Found(
        "P5",
        f"{len(sent)} uploads cut, {seen} fragments visible ({time.monotonic() - begun:.0f} s;"
        f" {share:.0%} of the bytes that left are kept, {false} wrong offsets)",
        seen == 0 and false == 0,
        done={"uploads cut": len(sent)},
        wrong={"fragments visible": seen, "wrong offsets": false},
    )
    # The same photos go on where they ended.
    again = photos[:: max(1, number // 50)]
    for photo in again:
        phone.insist(lambda photo=photo: phone.send_photo(one.id, photo))
    whole = sum(stored(running, photo) for photo in again)
    ledger.close()
    yield Found(
        "P5",
        f"{len(again)} of them went on, {whole} are whole",
        whole == len(again),
        done={"uploads gone on with": len(again)},
        wrong={"not whole afterwards": len(again) - whole},
    )


def send_cut(running: Running, token: str, photo: Photo, chance: random.Random) -> int:
    """Send an upload up to a random byte, then hang up in one of two ways; returns the bytes."""
    head = (
        f"PATCH /api/v1/uploads/{photo.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: {OCTETS}\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {len(photo.content)}\r\n\r\n"
    ).encode()
    number = chance.randrange(len(photo.content))
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(head + photo.content[:number])
        # A reset at once would take back what nobody has read yet.
        time.sleep(chance.choice((0, 0.01)))
        if chance.random() < 0.5:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return number


def settled(running: Running, last: list[int]) -> bool:
    """Whether no more bytes have come for a while."""
    now = sum(one.stat().st_size for one in (running.instance / "field").glob("*.part"))
    last[:] = [now, last[1] + 1 if now == last[0] else 0]
    return last[1] > 20


def stored(running: Running, photo: Photo) -> bool:
    path = running.instance / "photos" / photo.sha256[:2] / photo.sha256
    return path.exists() and path.read_bytes() == photo.content


def fragments(running: Running, phone: Phone, inspection: uuid.UUID, photos: list[Photo]) -> int:
    """What can be seen of photos that never arrived: rows, files, what the API gives."""
    ids = [one.id for one in photos]
    with running.connect() as connection:
        found = connection.execute("SELECT count(*) FROM photo WHERE id = ANY(%s)", (ids,))
        rows = int((found.fetchone() or (0,))[0])
    names = {one.sha256 for one in photos}
    files = sum(one.name[:64] in names for one in (running.instance / "photos").rglob("*"))
    status, content = phone.request("GET", f"/api/v1/photos?inspection={inspection}")
    listed = content.count(b'"sha256"') if status == 200 else 1
    shown = sum(
        phone.request("GET", f"/api/v1/photos/{one.id}/original")[0] != 404 for one in photos[:50]
    )
    return rows + files + listed + shown
