"""A phone in the field, as tests see it: a device with its token, and what it sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import User
from accounts.security import actor_by_token
from accounts.services import devices
from core import clock
from core.db import transaction
from inspections.field_models import ReviewItem
from tests import doors

OCTETS = "application/offset+octet-stream"


@dataclass
class Photo:
    """A picture on a phone, with what the record says of it."""

    content: bytes
    item: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def facts(self, **more: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "item": self.item,
            "sha256": self.sha256,
            "byte_size": len(self.content),
            "source": "camera",
            "taken_at": "2026-11-26T09:00:00+07:00",
            "latitude": 10.4,
            "longitude": 105.6,
            "accuracy_m": 6.5,
            **more,
        }


def photo(seed: str, item: str | None = None, **options: Any) -> Photo:
    return Photo(doors.picture(seed=seed, **options), item)


@dataclass
class Phone:
    """A signed-in phone: `client` carries its token."""

    client: FlaskClient
    id: str
    token: str

    def send(self, *operations: dict[str, Any], **facts: Any) -> list[dict[str, Any]]:
        """Send a batch; returns the result of each operation."""
        return self.batch(*operations, **facts)["results"]

    def batch(self, *operations: dict[str, Any], **facts: Any) -> dict[str, Any]:
        body = {
            "device_time": datetime.now(UTC).isoformat(),
            "app_version": "1.0.0",
            "operations": list(operations),
            **facts,
        }
        return doors.answered(self.client.post("/api/v1/sync", json=body), 200)

    def begin(self, inspection: str, one: Photo, status: int = 201, **facts: Any) -> dict[str, Any]:
        body = one.facts(inspection=inspection, media_type="image/jpeg", **facts)
        return doors.answered(self.client.post("/api/v1/uploads", json=body), status)

    def patch(self, one: Photo, offset: int, content: bytes):
        return self.client.patch(
            f"/api/v1/uploads/{one.id}",
            data=content,
            headers={"Upload-Offset": str(offset), "Content-Type": OCTETS},
        )

    def upload(self, inspection: str, one: Photo) -> dict[str, Any]:
        """Send a photo whole."""
        begun = self.begin(inspection, one, 201)
        return doors.answered(self.patch(one, begun["offset"], one.content[begun["offset"] :]), 200)

    def queue_file(
        self,
        person: object,
        *operations: dict[str, Any],
        photos: Sequence[Photo] = (),
        **facts: Any,
    ) -> bytes:
        """The file that it saves where it cannot send, signed by the hash of its token."""
        named = [one.facts() for one in photos]
        said = {"device": self.id, "user": str(person), "operations": operations, "photos": named}
        said["device_time"] = datetime.now(UTC).isoformat()
        signed = json.dumps({**said, **facts}, ensure_ascii=False)
        key = hashlib.sha256(self.token.encode()).digest()
        return json.dumps(
            {
                "format": "thap-canh-queue",
                "version": 2,
                "signed": signed,
                "signature": hmac.digest(key, signed.encode(), "sha256").hex(),
                "photos": {one.id: base64.b64encode(one.content).decode() for one in photos},
            }
        ).encode()

    def receipts(self, *ids: str) -> list[dict[str, Any]]:
        answer = self.client.get("/api/v1/field/receipts", query_string={"ids": ",".join(ids)})
        return doors.answered(answer, 200)["items"]


def waiting(session: Session, **wanted: Any) -> ReviewItem:
    """The one thing that this test's phones brought and staff must decide about."""
    session.expire_all()
    # The world has some of its own.
    brought = select(ReviewItem).where(ReviewItem.body_hash != bytes(32)).filter_by(**wanted)
    return session.scalars(brought).one()


def phone(app: Flask, client: FlaskClient, device_id: str | None = None) -> Phone:
    """A phone of the person whose token a client carries, made as their browser makes it."""
    number = device_id or str(uuid.uuid4())
    theirs = client.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    with app.app_context(), transaction() as session:
        token = register(session, theirs, number)
    return carrying(app, number, token)


def carrying(app: Flask, number: str, token: str) -> Phone:
    """A phone that was registered, with its token."""
    own = app.test_client()
    own.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return Phone(own, number, token)


def register(session: Session, theirs: str, number: str) -> str:
    """Let a phone work for whoever has the token `theirs`; returns that of the phone."""
    actor = actor_by_token(session, theirs)
    assert actor is not None
    person = session.get_one(User, actor.id)
    _, token, _ = devices.register(
        session,
        uuid.UUID(number),
        person,
        name="Điện thoại",
        app_version="1.0.0",
        by=actor,
        now=clock.now(),
    )
    return token


def operation(kind: str, body: dict[str, Any], *, minutes: int = 0, **facts: Any) -> dict[str, Any]:
    """An operation; `minutes` says how much later than the others it was made."""
    made = datetime(2026, 11, 25, 2, 0, tzinfo=UTC) + timedelta(minutes=minutes)
    return {
        "id": str(uuid.uuid4()),
        "kind": kind,
        "made_at": made.isoformat(),
        "body": body,
        **facts,
    }


def inspection(tower: str, *, minutes: int = 0, **facts: Any) -> dict[str, Any]:
    """An inspection as a phone sends it."""
    body = {"id": str(uuid.uuid4()), **doors.visit(tower), "photos": [], **facts}
    return operation("inspection", body, minutes=minutes)
