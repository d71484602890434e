"""Merging two towers that are one structure: both histories stay, and every inspection."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import audit, merging, policy
from core.errors import Conflict, Invalid
from core.geo import to_position
from core.i18n import N_
from core.merging import Follower, Merge
from core.policy import Actor
from towers import services
from towers.coordinate_systems import system
from towers.coordinates import Reading
from towers.fields import KEPT, ORGANISATIONS
from towers.models import (
    Document,
    GuyAnchor,
    Installation,
    Permit,
    Tower,
    TowerMerge,
    TowerProposal,
)
from towers.queries.parts import footprint, plain_parts
from towers.rules import StructureType

# Where a tower stands is one choice, whatever its coordinates are written in.
POSITION = "position"
# The code is that of the tower that stays: who wants the other one keeps the other tower.
CHOICES = (POSITION, *(field.name for field in (*KEPT, *ORGANISATIONS) if field.name != "code"))
# Columns of a tower that its row as JSON leaves out: derived by the database, or read as others.
NOT_KEPT = {"geom", "geom_3857", "search", "footprint"}


def differences(keep: Tower, drop: Tower) -> tuple[str, ...]:
    """The choices in which two towers differ; what one of them leaves empty differs as well."""
    found = [
        field.name
        for field in (*KEPT, *ORGANISATIONS)
        if field.name != "code" and getattr(keep, field.name) != getattr(drop, field.name)
    ]
    apart = to_position(keep.geom) != to_position(drop.geom)
    return (POSITION, *found) if apart else tuple(found)


def suggested(keep: Tower, drop: Tower) -> tuple[str, ...]:
    """What is better taken from the tower that leaves: the fields that the other leaves empty."""
    nothing: tuple[Any, ...] = (None, "", [], StructureType.UNKNOWN)
    return tuple(
        name
        for name in differences(keep, drop)
        if name != POSITION and getattr(keep, name) in nothing
    )


def merge_towers(
    session: Session,
    keep: Tower,
    drop: Tower,
    *,
    take: Collection[str] = (),
    by: Actor,
    now: datetime,
    today: date,
) -> Tower:
    """Make one tower of two; `take` names the choices whose value comes from `drop`.

    Everything that refers to `drop` refers to `keep` afterwards, and where `keep` has no footprint
    it takes that of `drop`. The row of `drop` leaves, its code leads to `keep`, its values stay in
    `tower_merge`. Raises `Conflict` for one and the same
    tower and `Invalid` for a choice that there is not.
    """
    policy.require(by, "tower.merge", keep)
    policy.require(by, "tower.merge", drop)
    if keep.id == drop.id:
        raise Conflict(N_("Choose another tower: this one is the same"))
    unknown = set(take) - set(CHOICES)
    if unknown:
        message = N_("There is no such field to choose")
        raise Invalid(message, fields={"take": [message]}, unknown=sorted(unknown))
    merge = Merge(keep=keep.id, drop=drop.id, by=by, now=now, today=today)
    reading = reading_of(drop) if POSITION in take else None
    values = {name: getattr(drop, name) for name in take if name != POSITION}
    if "lifecycle" in values:
        # Its day goes with it.
        values.setdefault("lifecycle_since", drop.lifecycle_since)
    code, left = drop.code, {**whole(drop), "footprint": footprint(session, drop.id)}
    ground = drop.footprint if keep.footprint is None else keep.footprint
    session.add(
        TowerMerge(
            old_id=drop.id, old_code=code, into_id=keep.id, at=now, by_id=by.id, snapshot=left
        )
    )
    moved = dict(merging.counts(session, "tower", drop.id))
    own = plain_parts(session, keep.id)
    merging.move(session, "tower", merge)
    session.delete(drop)
    session.flush()
    services.update_tower(session, keep, reading=reading, values=values, by=by, now=now)
    keep.footprint = ground
    # What the numbers of violations say has changed even where no field has.
    keep.version += 1
    keep.updated_at = now
    session.flush()
    merging.finish(session, "tower", merge)
    came = {name: part for name, part in plain_parts(session, keep.id).items() if name not in own}
    for action, tower, facts, before in (
        ("tower.merge", keep.id, {"merged": code, **came}, dict.fromkeys(came)),
        ("tower.merged_away", merge.drop, {"into": keep.code}, None),
    ):
        audit.record(
            session,
            action,
            "tower",
            tower,
            by=by,
            now=now,
            before=before,
            after={**facts, "moved": moved, "taken": sorted(take)},
        )
    return keep


def reading_of(tower: Tower) -> Reading:
    """The position of a tower with its coordinates as they were given."""
    position = to_position(tower.geom)
    if tower.source_srid is None or tower.source_x is None or tower.source_y is None:
        return Reading.of(position)
    return Reading(position, system(tower.source_srid), tower.source_x, tower.source_y)


def whole(tower: Tower) -> dict[str, Any]:
    """The row of a tower as plain JSON, also what is derived, as it stood when it left."""
    columns = {column.key for column in Tower.__table__.columns} - NOT_KEPT
    plain = {name: getattr(tower, name) for name in sorted(columns)}
    plain |= services.snapshot(tower)
    return {
        name: value
        if isinstance(value, str | int | float | bool | list) or value is None
        else str(value)
        for name, value in plain.items()
    }


def _number_on(session: Session, merge: Merge) -> None:
    """Guy anchors are numbered at each tower: those that come are numbered on."""
    highest = session.scalar(
        select(func.max(GuyAnchor.number)).where(GuyAnchor.tower_id == merge.keep)
    )
    session.execute(
        update(GuyAnchor)
        .where(GuyAnchor.tower_id == merge.drop)
        .values(number=GuyAnchor.number + (highest or 0))
        .execution_options(synchronize_session=False)
    )


FOLLOWERS = (
    Follower(N_("Documents"), Document.tower_id),
    Follower(N_("Proposals"), TowerProposal.tower_id),
    Follower(N_("Proposals"), TowerProposal.result_id),
    Follower(N_("Installations"), Installation.tower_id),
    Follower(N_("Permits"), Permit.tower_id),
    Follower(N_("Guy anchors"), GuyAnchor.tower_id, before=_number_on),
)


def hold_both(session: Session, one: uuid.UUID, other: uuid.UUID) -> None:
    """Hold two towers until the transaction ends, always in the same order: no two merges, and
    no inspection, wait for each other in a ring. Raises `Conflict` where one of them is gone."""
    held = session.scalars(
        select(Tower)
        .where(Tower.id.in_((one, other)))
        .order_by(Tower.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if len(held) < len({one, other}):
        raise Conflict(services.MERGED_MEANWHILE)
