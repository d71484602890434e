"""Phones that send until they have an answer, over whatever network there is."""

from __future__ import annotations

import http.client
import json
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.soak.ledger import Ledger
from tests.soak.province import Photo, Submission

# How long a phone tries before the soak calls it an answer that never came.
PATIENCE = 180.0


class NoAnswer(RuntimeError):
    """The service refused what it should take, or never took it."""


class TryAgain(Exception):
    """No acknowledgement this time."""


@dataclass
class Phone:
    """One device: a connection that it keeps as long as it holds."""

    port: int
    token: str
    ledger: Ledger
    chance: random.Random
    host: str = "127.0.0.1"
    connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """One request; raises `TryAgain` where the network gave no whole answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            self.connection.request(
                method, path, body, {"Authorization": f"Bearer {self.token}", **headers}
            )
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.hang_up()
            self.ledger.count("no answer")
            raise TryAgain from error
        self.ledger.count(str(answer.status))
        if answer.status == 503 and not answer.headers.get("Retry-After"):
            self.ledger.count("503 without Retry-After")
        if answer.status >= 500 or answer.status == 429:
            raise TryAgain(answer.status)
        return answer.status, content

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def send(self, one: Submission) -> None:
        """Send an inspection and its photo until both are acknowledged; raises `NoAnswer`."""
        self.insist(lambda: self.send_inspection(one))
        if one.photo:
            photo = one.photo
            self.insist(lambda: self.send_photo(one, photo))

    def insist(self, attempt: Any) -> None:
        until, pause = time.monotonic() + PATIENCE, 0.05
        while True:
            try:
                attempt()
                return
            except TryAgain as error:
                if time.monotonic() > until:
                    raise NoAnswer("no acknowledgement within the patience of a phone") from error
            time.sleep(pause * (0.5 + self.chance.random()))
            pause = min(1.0, pause * 2)

    def send_inspection(self, one: Submission) -> None:
        status, content = self.request(
            "POST",
            "/api/v1/inspections",
            json.dumps(one.body).encode(),
            **{"Content-Type": "application/json"},
        )
        if status not in {200, 201}:
            raise NoAnswer(f"{status}: {content[:500]!r}")
        if json.loads(content)["id"] != str(one.id):
            raise NoAnswer(f"an answer about something else: {content[:200]!r}")
        self.ledger.keep("inspection", one.id, new=status == 201)

    def send_photo(self, one: Submission, photo: Photo) -> None:
        boundary, body = multipart(one.id, photo)
        status, content = self.request(
            "POST",
            "/api/v1/photos",
            body,
            **{"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        if status not in {200, 201}:
            raise NoAnswer(f"{status}: {content[:500]!r}")
        self.ledger.keep("photo", photo.id, new=status == 201)


def multipart(inspection: uuid.UUID, photo: Photo) -> tuple[str, bytes]:
    boundary = "----soak" + photo.id.hex
    fields = {"id": str(photo.id), "inspection": str(inspection), "sha256": photo.sha256}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return boundary, b"".join(parts) + head.encode() + photo.content + (
        f"\r\n--{boundary}--\r\n".encode()
    )
