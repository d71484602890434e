"""Phones that send until they have an answer, over whatever network there is."""

from __future__ import annotations

import http.client
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from tests.soak.ledger import Ledger
from tests.soak.province import Photo, Submission

OCTETS = "application/offset+octet-stream"
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
            # A head that was cut off, within this line too, looks whole to the library.
            if answer.headers.get("Content-Length") != str(len(content)):
                raise http.client.IncompleteRead(content)
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

    def insist(self, attempt: Callable[[], None]) -> None:
        """Try until it is done, with growing pauses; raises `NoAnswer`."""
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

    def send(self, batch: Sequence[Submission]) -> None:
        """Send inspections with their photos, these before or after, until all are safe."""
        with_photos = [one for one in batch if one.photo]
        before = {one.id for one in with_photos if self.chance.random() < 0.5}
        for one in with_photos:
            if one.id in before:
                self.insist(lambda one=one: self.send_photo(one.id, one.photo))
        left = list(batch)
        self.insist(lambda: self.send_batch(left))
        for one in with_photos:
            if one.id not in before:
                self.insist(lambda one=one: self.send_photo(one.id, one.photo))

    def send_batch(self, left: list[Submission]) -> None:
        """Send a batch once and take out of it what was acknowledged; raises `TryAgain`."""
        body = {
            "device_time": datetime.now(UTC).isoformat(),
            "app_version": "1",
            "operations": [one.sent for one in left],
        }
        status, content = self.request(
            "POST", "/api/v1/sync", orjson.dumps(body), **{"Content-Type": "application/json"}
        )
        if status != 200:
            raise NoAnswer(f"{status}: {content[:500]!r}")
        results = orjson.loads(content)["results"]
        if [result["id"] for result in results] != [str(one.operation) for one in left]:
            raise NoAnswer(f"an answer about something else: {content[:200]!r}")
        for one, result in zip(list(left), results, strict=True):
            verdict = result["verdict"]
            self.ledger.count(verdict)
            if verdict == "retry":
                continue
            if verdict not in {"accepted", "known"}:
                raise NoAnswer(f"{result}"[:500])
            receipt = result["receipt"]
            if receipt["content_sha256"] != one.content_sha256:
                raise NoAnswer(f"a receipt of something else: {receipt}"[:500])
            self.ledger.keep("inspection", one.id, new=verdict == "accepted", receipt=receipt)
            left.remove(one)
        if left:
            raise TryAgain("retry")

    def send_photo(self, inspection: uuid.UUID, photo: Photo) -> None:
        """Go on with a photo where it ended, once; raises `TryAgain`."""
        standing = self.uploading(
            "POST",
            "/api/v1/uploads",
            orjson.dumps({**photo.facts, "inspection": str(inspection)}),
            **{"Content-Type": "application/json"},
        )
        while standing["state"] != "safe":
            at = int(standing["offset"])
            standing = self.uploading(
                "PATCH",
                f"/api/v1/uploads/{photo.id}",
                photo.content[at:],
                **{"Content-Type": OCTETS, "Upload-Offset": str(at)},
            )
        self.ledger.keep("photo", photo.id, new=False)

    def uploading(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> dict[str, Any]:
        """A step of an upload; where the service knows better how far it is, that."""
        status, content = self.request(method, path, body, **headers)
        said = orjson.loads(content)
        if status == 409 and said["code"] == "wrong_offset":
            return {"offset": said["facts"]["offset"], "state": "waiting"}
        if status not in {200, 201}:
            raise NoAnswer(f"{method} {path} {status}: {content[:500]!r}")
        return said
