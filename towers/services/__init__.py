"""Changing the register: rules checked, history written, nothing committed."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from accounts.services.organisations import owner_named
from areas.places import placement_of
from core import audit, policy, store
from core.errors import Conflict, Invalid
from core.geo import Position, to_point, to_position
from core.i18n import N_
from core.policy import Actor
from towers.coordinates import Reading
from towers.fields import KEPT, ORGANISATIONS
from towers.former import link_former_communes
from towers.models import Tower, TowerLeftCode
from towers.queries.merges import successors
from towers.rules import StructureType

# What else follows from the structure type of towers, in the same transaction. The register knows
# no inspections: `app.py` names here what derives the condition again.
Retyped = Callable[[Session, Sequence[uuid.UUID]], None]
_after_retyping: list[Retyped] = []


def after_retyping(derive: Retyped) -> None:
    """Have `derive(session, tower_ids)` called whenever structure types were changed."""
    if derive not in _after_retyping:
        _after_retyping.append(derive)


def was_retyped(session: Session, tower_ids: Sequence[uuid.UUID]) -> None:
    """Tell whoever depends on it that these towers have another structure type now."""
    for derive in _after_retyping:
        derive(session, tower_ids)


MERGED_MEANWHILE = N_("This tower was merged into another one in the meantime: open it again")
NO_CAUSE: Mapping[str, str] = {}
# What history keeps beside the fields themselves.
DERIVED_FROM_OTHERS = (
    "source_srid", "source_x", "source_y", "owner_id", "manager_id", "commune_id",
    "commune_distance_m",
)  # fmt: skip


def snapshot(tower: Tower) -> dict[str, Any]:
    """The tower as plain JSON values, for history."""
    position = to_position(tower.geom)
    plain: dict[str, Any] = {field.name: getattr(tower, field.name) for field in KEPT}
    plain["latitude"], plain["longitude"] = position.latitude, position.longitude
    for name in DERIVED_FROM_OTHERS:
        plain[name] = getattr(tower, name)
    return {
        key: str(value) if isinstance(value, Decimal | date | uuid.UUID) else value
        for key, value in plain.items()
    }


def require_inside_envelope(session: Session, position: Position) -> None:
    """Raise `Invalid` with the likely mistake when a point lies outside the deployment."""
    box = store.envelope(session)
    if box.contains(position):
        return
    message = N_(
        "The position %(latitude)s, %(longitude)s lies outside the area of this deployment"
        " (%(south)s to %(north)s N, %(west)s to %(east)s E)"
    )
    swapped = -90 <= position.longitude <= 90 and box.contains(
        Position(latitude=position.longitude, longitude=position.latitude)
    )
    if swapped:
        message = N_(
            "The position %(latitude)s, %(longitude)s lies outside the area of this deployment:"
            " latitude and longitude are probably swapped"
        )
    elif position.latitude == 0 and position.longitude == 0:
        message = N_("The position is 0, 0: nobody filled it in")
    raise Invalid(
        message,
        fields={"latitude": [message], "longitude": [message]},
        latitude=position.latitude,
        longitude=position.longitude,
        south=box.south,
        north=box.north,
        west=box.west,
        east=box.east,
    )


def _require_own_territory(by: Actor, action: str, tower: Tower) -> None:
    """Raise `Invalid` where a position is not in the territory of who gives it."""
    if not policy.may(by, action, tower):
        message = N_("The position lies outside your territory")
        raise Invalid(message, fields={"latitude": [message], "longitude": [message]})


def create_tower(
    session: Session,
    *,
    reading: Reading,
    values: dict[str, Any],
    cause: Mapping[str, str] = NO_CAUSE,
    by: Actor,
    now: datetime,
) -> Tower:
    """Register a structure.

    `reading` is its position with the coordinates as they were given; `values` has the fields of
    `fields.KEPT` by name, and organisations (or `None`) by `owner` and `manager`. Raises `Invalid`
    for a position outside the envelope and `Conflict` for a known code, also that of a tower that
    was merged into another. `cause` names in the history what led to it, such as a proposal.
    """
    policy.require(by, "tower.create")
    values = _normal(values)
    require_inside_envelope(session, reading.position)
    _require_new_code(session, values["code"])
    tower = Tower(
        id=uuid.uuid4(),
        condition="unchecked",
        condition_reason="never",
        created_at=now,
        updated_at=now,
    )
    _assign(tower, values)
    _place(session, tower, reading)
    _require_own_territory(by, "tower.create", tower)
    session.add(tower)
    session.flush()
    _link_former_commune(session, tower)
    after = {**snapshot(tower), **cause}
    audit.record(session, "tower.create", "tower", tower.id, by=by, now=now, after=after)
    return tower


def update_tower(
    session: Session,
    tower: Tower,
    *,
    reading: Reading | None = None,
    values: dict[str, Any],
    cause: Mapping[str, str] = NO_CAUSE,
    by: Actor,
    now: datetime,
    today: date | None = None,
) -> Tower:
    """Change the given fields; the same values change nothing, not even the version.

    Takes and raises the same as `create_tower`; without a reading the tower stays where it is.
    A new life cycle whose day is not given counts from `today`, or from no known day without it.
    """
    policy.require(by, "tower.edit", tower)
    before = snapshot(tower)
    values = _normal(values)
    if values.get("lifecycle", tower.lifecycle) != tower.lifecycle:
        values.setdefault("lifecycle_since", today)
    if "code" in values and values["code"] != tower.code:
        _require_new_code(session, values["code"], tower.code)
    left = tower.code
    _assign(tower, values)
    if reading is not None and reading.position != to_position(tower.geom):
        require_inside_envelope(session, reading.position)
        _place(session, tower, reading)
        _require_own_territory(by, "tower.edit", tower)
    after = snapshot(tower)
    if after == before:
        return tower
    tower.version += 1
    tower.updated_at = now
    session.flush()
    changed = {key for key in after if after[key] != before[key]}
    if "code" in changed:
        session.add(TowerLeftCode(old_code=left, tower_id=tower.id, at=now, by_id=by.id))
    if changed & {"former_commune", "former_district"}:
        _link_former_commune(session, tower)
    if "structure_type" in changed:
        was_retyped(session, [tower.id])
    audit.record(
        session,
        "tower.edit",
        "tower",
        tower.id,
        by=by,
        now=now,
        before={key: before[key] for key in sorted(changed)},
        after={**{key: after[key] for key in sorted(changed)}, **cause},
    )
    return tower


def _require_new_code(session: Session, code: str, present: str | None = None) -> None:
    """Raise `Conflict` for a code that stands for a tower.

    Not for one that the tower with the code `present` left, nor where it takes one that another
    left without a merge: two towers may have each other's codes.
    """
    if session.scalar(select(Tower.id).where(Tower.code == code)):
        message = N_("The code %(code)s is already in the register")
        raise Conflict(message, fields={"code": [message]}, code=code)
    kept = successors(session, [code], recoded=present is None).get(code)
    if kept is not None and kept != present:
        message = N_("%(code)s is now the tower %(kept)s: change that one instead")
        raise Conflict(message, fields={"code": [message]}, code=code, kept=kept)


def with_organisations(
    session: Session, values: dict[str, Any], *, by: Actor, now: datetime
) -> dict[str, Any]:
    """The values with organisations in the place of their names; a new name makes one."""
    made = {
        field.name: owner_named(session, values[field.name] or "", by=by, now=now, kind=field.name)
        for field in ORGANISATIONS
        if field.name in values
    }
    return {**values, **made}


def _assign(tower: Tower, values: dict[str, Any]) -> None:
    """Set fields; an organisation with its key, which the history reads before it is flushed."""
    for name, value in values.items():
        setattr(tower, name, value)
    for field in ORGANISATIONS:
        if field.name in values:
            organisation: Organisation | None = values[field.name]
            setattr(tower, field.column, organisation.id if organisation else None)


def _place(session: Session, tower: Tower, reading: Reading) -> None:
    """Put the tower at a position, in its commune, with the coordinates as they were given."""
    tower.geom = to_point(reading.position)
    tower.source_srid, tower.source_x, tower.source_y = reading.system.srid, reading.x, reading.y
    placement = placement_of(session, reading.position)
    tower.commune = placement.commune
    tower.commune_id = placement.commune.id if placement.commune else None
    tower.commune_distance_m = placement.metres


def _link_former_commune(session: Session, tower: Tower) -> None:
    link_former_communes(session, [tower.id])
    session.expire(tower, ["former_commune_id"])


def determine_structure_type(
    session: Session, tower: Tower, structure_type: str, *, by: Actor, now: datetime
) -> None:
    """Set the type of a structure that nobody had determined; raises `Conflict` where known."""
    policy.require(by, "tower.determine", tower)
    if structure_type == StructureType.UNKNOWN:
        raise Invalid(
            N_("Determine the structure type first"),
            fields={"structure_type": [N_("Determine the structure type first")]},
        )
    if tower.structure_type == structure_type:
        return
    if tower.structure_type != StructureType.UNKNOWN:
        raise Conflict(N_("The structure type is known already: staff change it in the register"))
    before = tower.structure_type
    tower.structure_type = structure_type
    tower.version += 1
    tower.updated_at = now
    session.flush()
    audit.record(
        session,
        "tower.determine",
        "tower",
        tower.id,
        by=by,
        now=now,
        before={"structure_type": before},
        after={"structure_type": structure_type},
    )


def hold(session: Session, tower_id: uuid.UUID) -> Tower:
    """The tower as it is now, held by this transaction: one writer a tower.

    `FOR NO KEY UPDATE`, because whoever inserts a row about the tower holds its key already,
    and two of them would wait for each other with the stronger lock. Raises `Conflict` for a tower
    that was merged into another one while this transaction waited for it.
    """
    held = session.scalars(
        select(Tower)
        .where(Tower.id == tower_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if held is None:
        raise Conflict(MERGED_MEANWHILE)
    return held


def hold_by_code(session: Session, by: Actor, code: str) -> Tower | None:
    """The tower with a code as it is now, held as `hold` does; `None` outside `by`'s sight."""
    return session.scalars(
        select(Tower)
        .where(Tower.code == code, policy.visible(by, "tower"))
        .with_for_update(key_share=True, of=Tower)
        .execution_options(populate_existing=True)
    ).one_or_none()


def set_condition(
    session: Session,
    tower: Tower,
    *,
    condition: str,
    reason: str | None,
    ok_until: date | None,
    worst_severity: str | None,
    next_deadline: date | None,
    open_violations: int,
    last_inspected_on: date | None,
) -> bool:
    """Write the derived columns; called by `inspections` alone. Returns whether any differed."""
    derived = {
        "condition": condition,
        "condition_reason": reason,
        "ok_until": ok_until,
        "worst_severity": worst_severity,
        "next_deadline": next_deadline,
        "open_violations": open_violations,
        "last_inspected_on": last_inspected_on,
    }
    differs = False
    for name, value in derived.items():
        if getattr(tower, name) != value:
            setattr(tower, name, value)
            differs = True
    if differs:
        session.flush()
    return differs


def _normal(values: dict[str, Any]) -> dict[str, Any]:
    """Known fields only, texts in NFC without outer blanks, their lines ended as in Unix.

    Forms send another end of line, which XML, and so workbooks and KML, would not bring back.
    """
    unknown = set(values) - {field.name for field in (*KEPT, *ORGANISATIONS)}
    if unknown:
        raise LookupError(f"not fields of a tower: {sorted(unknown)}")
    return {
        key: unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
        if isinstance(value, str)
        else value
        for key, value in values.items()
    }
