"""Who sees to the rows of the follow-up list: given to an inspector, many at once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts import queries as accounts
from accounts.models import User
from accounts.security import actor_of
from core import audit, policy
from core.errors import Conflict, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import LoadAssessment, Violation
from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from towers.models import Tower

# So many rows can be given to somebody at once.
MOST_ROWS = 1_000
CHANGED = N_("The list has changed since you looked at it: look at it again")


@dataclass(frozen=True)
class Plan:
    """What would be assigned to whom; `person` is `None` to take rows from everybody.

    `beyond` are the codes of towers that the person could not see.
    """

    rows: Sequence[Any]
    person: User | None
    beyond: Sequence[str]

    @property
    def changing(self) -> Sequence[Any]:
        """The rows that somebody else sees to so far."""
        wanted = self.person.id if self.person else None
        return [row for row in self.rows if row.assignee_id != wanted]

    @property
    def digest(self) -> str:
        """What was looked at: the rows, who sees to each of them now, and who would."""
        said = sorted(f"{row.id}:{row.assignee_id}" for row in self.rows)
        whom = str(self.person.id) if self.person else ""
        return hashlib.sha256(" ".join((whom, *said)).encode()).hexdigest()


def plan(
    session: Session,
    filters: WorkFilters,
    person_id: uuid.UUID | None,
    *,
    whole_towers: bool = False,
    by: Actor,
    today: date,
) -> Plan:
    """What giving these rows to a person would change; nothing is written.

    `whole_towers` takes along whatever else is open at the same towers. Raises `Invalid` without
    any row, with too many, and for somebody who is no inspector.
    """
    policy.require(by, "violation.assign")
    rows = _rows(session, filters, by, today)
    if whole_towers and rows:
        towers = tuple({row.tower_id for row in rows})
        everything = WorkFilters(include_dismantled=True, towers=towers)
        rows = _rows(session, everything, by, today)
    if not rows:
        message = N_("Choose at least one row")
        raise Invalid(message, fields={"row": [message]})
    person = None
    if person_id is not None:
        person = accounts.person_with_role(session, person_id, "inspector")
        if person is None:
            message = N_("Choose one of the inspectors")
            raise Invalid(message, fields={"assignee": [message]})
    return Plan(rows, person, _beyond(session, rows, person))


def _rows(session: Session, filters: WorkFilters, by: Actor, today: date) -> Sequence[Any]:
    statement = follow_up.rows(by, filters, today=today, limit=MOST_ROWS + 1)
    rows = session.execute(statement).all()
    if len(rows) > MOST_ROWS:
        message = N_("At most %(most)s rows can be assigned at once: narrow the list")
        raise Invalid(message, most=MOST_ROWS)
    return rows


def _beyond(session: Session, rows: Sequence[Any], person: User | None) -> Sequence[str]:
    if person is None:
        return ()
    seen = policy.visible(actor_of(session, person), "tower")
    wanted = {row.tower_id: row.code for row in rows}
    reached = set(session.scalars(select(Tower.id).where(Tower.id.in_(wanted), seen)))
    return sorted(code for tower, code in wanted.items() if tower not in reached)


def assign(
    session: Session,
    filters: WorkFilters,
    person_id: uuid.UUID | None,
    *,
    whole_towers: bool = False,
    seen: str,
    by: Actor,
    now: datetime,
    today: date,
) -> Plan:
    """Give rows to a person as `plan` showed it; `seen` is the digest of what was looked at.

    Raises `Conflict` where the rows or who sees to them have changed since, and where the person
    could not see one of the towers. Doing the same again changes nothing.
    """
    first = plan(session, filters, person_id, whole_towers=whole_towers, by=by, today=today)
    numbers = sorted(row.id for row in first.rows)
    for kind in (Violation, LoadAssessment):
        session.execute(
            select(kind.id).where(kind.id.in_(numbers)).order_by(kind.id).with_for_update()
        )
    held = replace(first, rows=_rows(session, WorkFilters(
        include_dismantled=True, ids=tuple(numbers)), by, today))  # fmt: skip
    if held.digest != seen:
        raise Conflict(CHANGED)
    if held.beyond:
        raise Conflict(
            N_("This person could not see the towers %(codes)s"), codes=", ".join(held.beyond[:20])
        )
    changing = {row.id: row for row in held.changing}
    for kind in (Violation, LoadAssessment):
        session.execute(
            update(kind)
            .where(kind.id.in_(changing))
            .values(assignee_id=person_id)
            .execution_options(synchronize_session=False)
        )
    name = (held.person.name or held.person.email) if held.person else None
    for row in changing.values():
        what = "violation" if row.item_key else "assessment"
        audit.record(
            session,
            f"{what}.assign",
            what,
            row.id,
            by=by,
            now=now,
            before={"assignee": row.assignee},
            after={"assignee": name},
        )
    session.expire_all()
    return held
