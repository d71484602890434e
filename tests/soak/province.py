"""Who inspects what in a soak: inspectors with tokens, towers of their own, and what they bring."""

from __future__ import annotations

import hashlib
import io
import random
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from PIL import Image

from accounts.models import User
from app import create_app
from core.db import database
from tests import doors, makers
from tests.inspections import phones
from tests.soak.running import Running

PASSES = {
    "clb_ladder": {"outcome": "ok", "value": "yes"},
    "gnd_air_terminal": {"outcome": "ok", "value": "yes"},
    "sit_fence": {"outcome": "ok", "value": "yes"},
}
# What is wrong in an inspection that comes with a photo of it.
FAILS = "sit_fence"


@dataclass(frozen=True, eq=False)
class Inspector:
    """Somebody with a phone, and the towers that nobody else inspects."""

    user_id: uuid.UUID
    token: str
    towers: list[str]


@dataclass(frozen=True)
class Photo:
    id: uuid.UUID
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "item": FAILS,
            "sha256": self.sha256,
            "byte_size": len(self.content),
            "media_type": "image/jpeg",
            "source": "camera",
            "taken_at": "2026-11-01T09:00:00+07:00",
        }


@dataclass(frozen=True, eq=False)
class Submission:
    """An inspection as a phone keeps it until the server has it."""

    id: uuid.UUID
    inspector: Inspector
    body: dict[str, Any]
    operation: uuid.UUID
    made_at: str
    photo: Photo | None = None

    @property
    def findings(self) -> int:
        return 1 if self.photo else 0

    @property
    def content_sha256(self) -> str:
        """What the receipt must name: the hash of the body as it is sent."""
        return hashlib.sha256(orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def sent(self) -> dict[str, Any]:
        """The operation as a batch holds it."""
        return {
            "id": str(self.operation),
            "kind": "inspection",
            "made_at": self.made_at,
            "body": self.body,
        }


def settle(running: Running, *, inspectors: int, towers: int, prefix: str = "S") -> list[Inspector]:
    """Put a checklist, inspectors and so many towers for each into the service's database."""
    app = create_app(running.settings)
    try:
        with app.app_context():
            session = database().new_session()
            doors.published(session)
            commune = makers.commune(session, code=f"9{ord(prefix):04d}")
            made = []
            for number in range(inspectors):
                person: User = makers.user(session, "inspector")
                codes = [f"{prefix}{number:02d}-{one:04d}" for one in range(towers)]
                for one, code in enumerate(codes):
                    makers.tower(
                        session,
                        code=code,
                        latitude=10.2 + number * 0.05 + one * 0.0004,
                        longitude=105.5 + one * 0.002,
                        commune=commune,
                    )
                made.append(Inspector(person.id, makers.token(session, person), codes))
            made = [
                replace(one, token=phones.register(session, one.token, str(uuid.uuid4())))
                for one in made
            ]
            session.commit()
            session.close()
            return made
    finally:
        with app.app_context():
            database().engine.dispose()


def submission(
    inspector: Inspector, chance: random.Random, *, with_photo: bool, size: int = 96
) -> Submission:
    """One inspection of one of the inspector's towers; with a photo, of what is wrong there."""
    made = new_id(chance)
    answers: dict[str, Any] = {key: dict(one) for key, one in PASSES.items()}
    photo = None
    if with_photo:
        answers[FAILS] = {"outcome": "ok", "value": "no"}
        photo = Photo(new_id(chance), picture(chance, size))
    body = {
        "id": str(made),
        "tower": chance.choice(inspector.towers),
        "kind": "periodic",
        "inspected_on": "2026-11-01",
        "answers": answers,
        "note": f"Ghi chú {chance.random():.12f}",
        "submit": True,
        "photos": [photo.facts] if photo else [],
    }
    moment = datetime(2026, 11, 1, 2, 0, tzinfo=UTC) + timedelta(seconds=chance.randrange(30_000))
    return Submission(made, inspector, body, new_id(chance), moment.isoformat(), photo)


def picture(chance: random.Random, size: int) -> bytes:
    """A JPEG of noise, so that no two are alike and each is as long as its size says."""
    out = io.BytesIO()
    noise = Image.frombytes("RGB", (size, size), chance.randbytes(size * size * 3))
    noise.save(out, "JPEG", quality=85)
    return out.getvalue()


def new_id(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)
