"""The history of a tower: its entries, and the tower as it was at any moment.

What a tower was is made backwards from what it is: each entry names the values that it found.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Row, cast, func, literal, select, union_all
from sqlalchemy.orm import Session

from accounts.models import Organisation, OrganisationMerge
from areas.models import Area
from core import audit, paging, policy
from core.audit import AuditEntry
from core.paging import Behind, Page
from core.policy import Actor
from towers.fields import BY_NAME, FIELDS, Kind
from towers.models import Tower
from towers.parts import FOOTPRINT, kind_of_key
from towers.queries.merges import with_predecessors

# The columns of the tower beside its fields that entries speak of.
FOLLOWING = (
    "commune_id", "commune_distance_m", "former_commune_id", "source_srid", "source_x", "source_y",
)  # fmt: skip
VALUES = frozenset({*BY_NAME, *(field.column for field in FIELDS), *FOLLOWING, FOOTPRINT})
# Numbers with their decimals that follow from the position.
DERIVED_NUMBERS = {"commune_distance_m": 1}


def _entries(ids: Iterable[uuid.UUID]) -> Any:
    return select(AuditEntry).where(
        AuditEntry.kind == "tower", AuditEntry.object_id.in_([str(one) for one in ids])
    )


def entries(
    session: Session,
    tower: Tower,
    *,
    until: datetime | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[AuditEntry]:
    """The changes of a tower, the latest first; `until` leaves out what came after a moment.

    Those of towers that were merged into it stand among them.
    """
    limit = paging.clamp(limit)
    statement = _entries(with_predecessors(session, tower))
    if until is not None:
        statement = statement.where(AuditEntry.at <= until)
    statement = paging.keyset(statement, (AuditEntry.id,), (_number,), cursor, descending=True)
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.id])


def behind(session: Session, tower: Tower, place: Behind, *, limit: int) -> Sequence[AuditEntry]:
    """So many of the changes of a tower behind a place in its timeline, the latest first."""
    return audit.behind(session, "tower", with_predecessors(session, tower), place, limit=limit)


def registered(
    session: Session,
    actor: Actor,
    wanted: ColumnElement[bool],
    place: Behind,
    *,
    zone: ZoneInfo,
    limit: int,
) -> Sequence[Row[date, int]]:
    """On which local days how many towers were registered, of those in the reader's scope."""
    day = cast(func.timezone(str(zone), Tower.created_at), Date)
    return session.execute(
        select(day, func.count())
        .where(policy.visible(actor, "tower"), wanted)
        .where(place.before_day(day, literal(""), zone))
        .group_by(day)
        .order_by(day.desc())
        .limit(limit)
    ).all()


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("not the number of an entry")
    return value


def changes(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """What an entry changed as (name, before, after); a new tower's values come from nothing.

    What it says beside the values of the tower, such as where they came from, is left out.
    """
    before, after = entry.before or {}, entry.after or {}
    found = [
        (name, before.get(name), after.get(name))
        for name in dict.fromkeys((*before, *after))
        if _is_value(name, before, after)
    ]
    return [(name, old, new) for name, old, new in found if not same(name, old, new)]


def _is_value(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a name means a value of the tower: lists write theirs under `source`, too."""
    if name == "source" and "import" in after:
        return "source" in before
    return name in VALUES or kind_of_key(name) is not None


def state_at(
    session: Session, tower: Tower, now: Mapping[str, Any], moment: datetime
) -> dict[str, Any] | None:
    """A tower's values at a moment, `None` before it was registered.

    `now` are its values as they are (`services.parts.state`). Parts that there were not then are
    left out. What was kept before history knew a field is taken to have been as it is.
    """
    if moment < tower.created_at:
        return None
    found = dict(now)
    later = _entries([tower.id]).where(AuditEntry.at > moment).order_by(AuditEntry.id.desc())
    for entry in session.scalars(later):
        found.update(entry.before or {})
    for name in [name for name, value in found.items() if value is None and _absent(name)]:
        del found[name]
    return {name: canonical(name, value) for name, value in found.items()}


def _absent(name: str) -> bool:
    """Whether nothing under this name means that there is none, rather than an empty field."""
    return kind_of_key(name) is not None or name == FOOTPRINT


def differences(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> list[tuple[str, Any, Any]]:
    """What differs between two states as (name, in the one, in the other)."""
    one, other = one or {}, other or {}
    return [
        (name, one.get(name), other.get(name))
        for name in dict.fromkeys((*one, *other))
        if not same(name, one.get(name), other.get(name))
    ]


def canonical(name: str, value: Any) -> Any:
    """A value of history in one writing: lists write numbers as numbers, forms as texts."""
    field = BY_NAME.get(name)
    digits = field.digits if field and field.kind is Kind.NUMBER else DERIVED_NUMBERS.get(name)
    if digits is None or value is None:
        return value
    try:
        return str(round(Decimal(str(value)), digits))
    except InvalidOperation:
        return value


def same(name: str, one: Any, other: Any) -> bool:
    """Whether two values of history say the same; nothing and an empty text do."""
    if one in (None, "", []) and other in (None, "", []):
        return True
    return canonical(name, one) == canonical(name, other)


def names(
    session: Session, values: Iterable[tuple[str, Any]]
) -> tuple[dict[str, str], dict[int, str]]:
    """What the keys in these (name, value) are called: organisations by key, communes by number.

    In two queries, however many there are; organisations that were merged away have their names.
    """
    organisations: set[uuid.UUID] = set()
    areas: set[int] = set()
    for name, value in _flat(values):
        if name in {"commune_id", "former_commune_id"} and isinstance(value, int):
            areas.add(value)
        elif name.endswith("_id") and isinstance(value, str):
            try:
                organisations.add(uuid.UUID(value))
            except ValueError:
                continue
    called: dict[str, str] = {}
    if organisations:
        merged = select(OrganisationMerge.old_id, OrganisationMerge.old_name)
        known = select(Organisation.id, Organisation.name)
        rows = session.execute(
            union_all(
                merged.where(OrganisationMerge.old_id.in_(organisations)),
                known.where(Organisation.id.in_(organisations)),
            )
        )
        called = {str(key): name for key, name in rows}
    there: dict[int, str] = {}
    if areas:
        there = {
            key: name
            for key, name in session.execute(select(Area.id, Area.name).where(Area.id.in_(areas)))
        }
    return called, there


def _flat(values: Iterable[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    """The values with those inside of parts beside them."""
    found: list[tuple[str, Any]] = []
    for name, value in values:
        if isinstance(value, dict):
            found.extend(value.items())
        else:
            found.append((name, value))
    return found
