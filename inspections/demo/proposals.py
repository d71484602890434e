"""What inspectors of the demo found beside the register: proposals that wait for staff."""

from __future__ import annotations

import io
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.geo import Position, to_position
from core.policy import Actor
from inspections.demo.pictures import picture
from towers.coordinates import Reading
from towers.doors import document_store
from towers.models import Tower
from towers.rules import DocumentKind
from towers.services.documents import add_document, checked
from towers.services.proposals import Finding, ProposalKind, propose

# About 300 m to the north-east of a tower, in degrees.
BESIDE = 0.002
FOUND = (
    ("Trụ chưa rõ chủ sở hữu", "rooftop_guyed", 12, "Dựng trên mái nhà dân, không có biển tên."),
    ("Cột bê tông truyền thanh", "concrete_pole", 14, "Người dân cho biết dựng đầu năm."),
)
CORRECTION = "Đo lại bằng máy: chiều cao khác với danh mục."


def load_proposals(session: Session, *, seed: int, by: Actor, now: datetime) -> None:
    """Two towers that the register lacks, one with a drawn picture, and one wrong height."""
    random = Random(seed + 2)  # noqa: S311 - a made-up province, not a secret
    beside = session.scalars(
        select(Tower)
        .where(Tower.demo, Tower.commune_id.is_not(None), Tower.commune_distance_m.is_(None))
        .order_by(Tower.code)
        .limit(len(FOUND) + 1)
    ).all()
    for days, (tower, (name, kind, height, note)) in enumerate(zip(beside, FOUND, strict=False), 1):
        near = to_position(tower.geom)
        finding = Finding(
            ProposalKind.NEW,
            None,
            {"name": name, "structure_type": kind, "height_m": Decimal(height)},
            Reading.of(Position(near.latitude + BESIDE, near.longitude + BESIDE)),
            accuracy_m=Decimal(8),
            note=note,
            confirmed=True,
        )
        at = now - timedelta(days=days)
        made, _ = propose(session, new_id(random), finding, by=by, now=at)
        files = document_store()
        with files.arriving(io.BytesIO(picture(random))) as arrival:
            add_document(
                session,
                new_id(random),
                checked(arrival, "minh-hoa.jpg", files),
                proposal=made,
                kind=DocumentKind.PHOTO,
                store=files,
                by=by,
                now=at,
            )
    for tower in beside[len(FOUND) :]:
        measured = (tower.height_m or Decimal(20)) + 3
        finding = Finding(ProposalKind.CORRECTION, tower, {"height_m": measured}, note=CORRECTION)
        propose(session, new_id(random), finding, by=by, now=now - timedelta(days=3))


def new_id(random: Random) -> uuid.UUID:
    return uuid.UUID(int=random.getrandbits(128), version=4)
