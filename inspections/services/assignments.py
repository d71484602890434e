"""Who inspects which tower until when: given, shared out, given to another, withdrawn."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Uuid,
    case,
    column,
    func,
    insert,
    literal,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from accounts.models import User
from areas.models import Area
from areas.queries import commune_ids
from core import audit, policy
from core.db import allow_long_statements
from core.errors import Conflict, Invalid, NotFound
from core.i18n import N_
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import OPEN, Ending, Kind, Work, Worker, shared_out
from inspections.services import campaign_works as works
from inspections.services.campaign_works import Staged, Tell, unheard
from towers.models import Tower
from towers.queries import Filters

MOST_AT_ONCE = 50
# No commune has this number: it stands for those outside all of them.
OUTSIDE = 0


def share_out(
    session: Session,
    campaign: Campaign,
    wanted: Wanted,
    inspectors: Sequence[uuid.UUID],
    *,
    ids: Sequence[uuid.UUID] = (),
    due_on: date | None = None,
    by: Actor,
    now: datetime,
    today: date,
) -> dict[uuid.UUID, int] | None:
    """Give towers of a campaign to one inspector, or to several by whole communes, evenly.

    Of those that `wanted` names (or of `ids`), the ones that are not done. Who had one before is
    kept beside it. Without `due_on` each keeps its day. Returns how many each inspector got, `None`
    where these are more than `works.AT_ONCE` towers, which the worker gives.
    Raises `Invalid` for somebody who is no active inspector, a day before today, a commune that
    is nobody's territory among them, or when there is nothing to give.
    """
    policy.require(by, "campaign.plan", campaign)
    works.require_free(session, campaign.id)
    if campaign.state not in OPEN:
        raise Conflict(
            N_("This campaign is over and can no longer be changed"), state=campaign.state
        )
    _check_day(due_on, today)
    people = workers(session, inspectors)
    allow_long_statements(session)
    chosen = _open_ones(by, campaign, wanted, ids, today=today)
    shares, towers = _shares(session, chosen.subquery().c.commune_id, people)
    number = sum(towers.values())
    if number <= works.AT_ONCE:
        with works.staged(session, chosen, Assignment.tower_id) as rows:
            _give(session, rows, shares, due_on, by=by, now=now)
        return _given(session, campaign, shares, towers, due_on, by=by, now=now)
    said = {
        "inspectors": [str(one.id) for one in people],
        "ids": [str(one) for one in ids],
        "nobody": wanted.nobody,
        "commune": list(wanted.filters.commune),
        "due_on": due_on.isoformat() if due_on else None,
    }
    works.put_off(session, campaign, Work.SHARE, said, number, by=by, now=now)
    return None


def share_now(
    session: Session,
    campaign: Campaign,
    said: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
    today: date,
    tell: Tell,
) -> int:
    """What `share_out` left to the worker; returns how many towers were given."""
    people = workers(session, [uuid.UUID(one) for one in said["inspectors"]])
    due_on = date.fromisoformat(said["due_on"]) if said["due_on"] else None
    filters = Filters(commune=tuple(said["commune"]), include_dismantled=True)
    wanted = Wanted(nobody=said["nobody"], filters=filters)
    allow_long_statements(session)
    ids = [uuid.UUID(one) for one in said["ids"]]
    chosen = _open_ones(by, campaign, wanted, ids, today=today)
    with works.staged(session, chosen, Assignment.tower_id) as rows:
        shares, towers = _shares(session, rows.rows.commune_id, people)
        _give(session, rows, shares, due_on, by=by, now=now, tell=tell)
    _given(session, campaign, shares, towers, due_on, by=by, now=now)
    return rows.number


def _shares(
    session: Session, commune: ColumnElement[Any], people: Sequence[Worker]
) -> tuple[dict[int | None, uuid.UUID], dict[int | None, int]]:
    """Who gets which communes, and how many towers each of them has; raises `Invalid`."""
    counted = session.execute(select(commune, func.count()).group_by(commune))
    towers = {row[0]: row[1] for row in counted}
    if not towers:
        message = N_("There is nothing to assign: no tower that is still open was chosen")
        raise Invalid(message, fields={"assignments": [message]})
    shares, beyond = shared_out(towers, people)
    if beyond:
        raise _beyond(session, beyond[0], sum(towers[one] for one in beyond))
    return shares, towers


def _given(
    session: Session,
    campaign: Campaign,
    shares: Mapping[int | None, uuid.UUID],
    towers: Mapping[int | None, int],
    due_on: date | None,
    *,
    by: Actor,
    now: datetime,
) -> dict[uuid.UUID, int]:
    given: dict[uuid.UUID, int] = {}
    for commune, person in shares.items():
        given[person] = given.get(person, 0) + towers[commune]
    campaign.version += 1
    session.flush()
    named = {worker: session.get_one(User, worker).email for worker in given}
    after: dict[str, Any] = {"towers": sum(given.values())}
    after["inspectors"] = {named[worker]: number for worker, number in given.items()}
    after["due_on"] = due_on.isoformat() if due_on else None
    audit.record(session, "campaign.assign", "campaign", campaign.id, by=by, now=now, after=after)
    return given


def workers(session: Session, ids: Sequence[uuid.UUID]) -> list[Worker]:
    """The inspectors with their territories; raises `Invalid` for anybody else."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        message = N_("Choose at least one inspector")
        raise Invalid(message, fields={"inspectors": [message]})
    if len(wanted) > MOST_AT_ONCE:
        message = N_("At most %(most)s inspectors can be chosen at once")
        facts = {"most": MOST_AT_ONCE}
        raise Invalid(message, fields={"inspectors": [(message, facts)]}, **facts)
    people = session.scalars(select(User).where(User.id.in_(wanted)).order_by(User.id)).all()
    if len(people) < len(wanted) or not all(_inspects(person) for person in people):
        message = N_("Only an active inspector can be given towers")
        raise Invalid(message, fields={"inspectors": [message]})
    return [
        Worker(
            one.id,
            None if one.everywhere else commune_ids(session, [area.id for area in one.territories]),
        )
        for one in people
    ]


def _inspects(person: User) -> bool:
    return person.active and any(role.name == "inspector" for role in person.roles)


def _check_day(due_on: date | None, today: date) -> None:
    if due_on is not None and due_on < today:
        message = N_("The due date lies in the past")
        raise Invalid(message, fields={"due_on": [message]})


def _beyond(session: Session, commune: int | None, number: int) -> Invalid:
    name = session.scalar(select(Area.name).where(Area.id == commune)) if commune else None
    facts: dict[str, Any] = {"number": number}
    message = N_(
        "%(number)s of these towers lie outside the territory of every inspector who was chosen"
    )
    if name:
        message = N_(
            "%(number)s of these towers lie outside the territory of every inspector who was"
            " chosen, for example in %(commune)s"
        )
        facts["commune"] = name
    return Invalid(message, fields={"inspectors": [(message, facts)]}, **facts)


def _open_ones(
    by: Actor, campaign: Campaign, wanted: Wanted, ids: Sequence[uuid.UUID], *, today: date
) -> Select[Any]:
    statement = queries.live(by, wanted, select(Assignment.id, Tower.commune_id), today=today)
    statement = statement.where(Assignment.campaign_id == campaign.id, ~queries.is_done())
    return statement.where(Assignment.id.in_(ids)) if ids else statement


def _give(
    session: Session,
    rows: Staged,
    shares: Mapping[int | None, uuid.UUID],
    due_on: date | None,
    *,
    by: Actor,
    now: datetime,
    tell: Tell = unheard,
) -> None:
    """Write who has what by two statements: first who had it before, then who has it now."""
    share = values(column("commune_id", Integer), column("inspector_id", Uuid), name="share").data(
        [(commune or OUTSIDE, person) for commune, person in shares.items()]
    )
    plan = (
        select(
            Assignment.id.label("id"),
            share.c.inspector_id.label("inspector_id"),
            (literal(due_on) if due_on else Assignment.due_on).label("due_on"),
        )
        .join(rows.rows.id.table, rows.rows.id == Assignment.id)
        .join(share, share.c.commune_id == func.coalesce(rows.rows.commune_id, OUTSIDE))
    )
    for batch in rows.batches(tell):
        _write(session, plan.where(batch).subquery("plan"), by=by, now=now)


def _write(session: Session, plan: Subquery, *, by: Actor, now: datetime) -> None:
    past = (
        "campaign_id", "tower_id", "kind", "counts_from", "note", "inspector_id", "due_on",
        "added_at", "added_by_id", "assigned_at", "assigned_by_id",
    )  # fmt: skip
    replaced = (
        select(
            *(getattr(Assignment, name) for name in past),
            literal(now),
            literal(by.id),
            literal(Ending.REASSIGNED.value),
        )
        .join(plan, plan.c.id == Assignment.id)
        .where(Assignment.inspector_id != plan.c.inspector_id)
    )
    session.execute(
        insert(Assignment).from_select(
            [*past, "ended_at", "ended_by_id", "ending"], replaced, include_defaults=False
        )
    )
    changed = Assignment.inspector_id.is_distinct_from(plan.c.inspector_id)
    session.execute(
        update(Assignment)
        .where(Assignment.id == plan.c.id, or_(changed, Assignment.due_on != plan.c.due_on))
        .values(
            inspector_id=plan.c.inspector_id,
            due_on=plan.c.due_on,
            assigned_at=case((changed, literal(now)), else_=Assignment.assigned_at),
            assigned_by_id=case((changed, literal(by.id)), else_=Assignment.assigned_by_id),
            version=Assignment.version + 1,
        )
        .execution_options(synchronize_session=False)
    )


def assign_tower(
    session: Session,
    assignment_id: uuid.UUID,
    tower: Tower,
    inspector: uuid.UUID,
    *,
    kind: Kind,
    due_on: date,
    note: str = "",
    by: Actor,
    now: datetime,
    today: date,
) -> tuple[Assignment, bool]:
    """Have one tower inspected outside every campaign, for instance after a complaint.

    Under the id that the client made; returns it and whether it is new. Sent again it is the
    first answer, with another body a `Conflict`. Raises `Invalid` as `share_out` does.
    """
    policy.require(by, "assignment.give")
    if not policy.may(by, "tower.view", tower):
        raise NotFound()
    said = {
        "tower": str(tower.id), "inspector": str(inspector), "kind": kind.value,
        "due_on": due_on.isoformat(), "note": note,
    }  # fmt: skip
    digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
    known = session.get(Assignment, assignment_id)
    if known is None:
        _check_day(due_on, today)
        _require_reach(session, workers(session, [inspector])[0], tower)
        made = session.scalar(
            upsert(Assignment)
            .values(
                id=assignment_id,
                body_hash=digest,
                tower_id=tower.id,
                kind=kind.value,
                counts_from=today,
                note=note,
                inspector_id=inspector,
                due_on=due_on,
                added_at=now,
                added_by_id=by.id,
                assigned_at=now,
                assigned_by_id=by.id,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(Assignment.id)
        )
        known = session.get_one(Assignment, assignment_id, populate_existing=True)
        if made is not None:
            _written(session, known, "assignment.give", by=by, now=now, after=said)
            return known, True
    if known.added_by_id != by.id:
        raise NotFound()
    if known.body_hash != digest:
        raise Conflict(N_("Another assignment was sent under this number before"))
    return known, False


def _require_reach(session: Session, worker: Worker, tower: Tower) -> None:
    if not worker.reaches(tower.commune_id):
        raise _beyond(session, tower.commune_id, 1)


def give_to(
    session: Session,
    assignment: Assignment,
    inspector: uuid.UUID,
    *,
    due_on: date | None = None,
    by: Actor,
    now: datetime,
    today: date,
) -> None:
    """Give one tower that is not done to another inspector, or another day; who had it is kept.

    Raises `Conflict` when it is done or its campaign is over, and `Invalid` as `share_out` does.
    """
    policy.require(by, "assignment.give", assignment)
    _require_standing(session, assignment)
    _check_day(due_on, today)
    _require_reach(session, workers(session, [inspector])[0], assignment.tower)
    before = _plain(assignment)
    plan = select(
        Assignment.id,
        literal(inspector).label("inspector_id"),
        (literal(due_on) if due_on else Assignment.due_on).label("due_on"),
    ).where(Assignment.id == assignment.id)
    _write(session, plan.subquery("plan"), by=by, now=now)
    session.refresh(assignment)
    after = _plain(assignment)
    if after != before:
        _written(
            session, assignment, "assignment.reassign", by=by, now=now, before=before, after=after
        )


def withdraw(
    session: Session, assignment: Assignment, *, reason: str, by: Actor, now: datetime
) -> None:
    """Take one assignment back, with a reason; in a campaign its tower leaves with it."""
    policy.require(by, "assignment.give", assignment)
    _require_standing(session, assignment)
    if not reason.strip():
        message = N_("Say why the assignment is withdrawn")
        raise Invalid(message, fields={"reason": [message]})
    before = _plain(assignment)
    assignment.ended_at, assignment.ended_by_id = now, by.id
    assignment.ending, assignment.reason = Ending.REMOVED.value, reason.strip()
    assignment.version += 1
    after = {"reason": reason.strip()}
    _written(session, assignment, "assignment.withdraw", by=by, now=now, before=before, after=after)


def _require_standing(session: Session, assignment: Assignment) -> None:
    if assignment.campaign is not None:
        works.require_free(session, assignment.campaign.id)
    if assignment.campaign is not None and assignment.campaign.state not in OPEN:
        raise Conflict(
            N_("This campaign is over and can no longer be changed"),
            state=assignment.campaign.state,
        )
    done = session.scalar(
        select(queries.is_done())
        .select_from(Assignment)
        .outerjoin(Campaign, Campaign.id == Assignment.campaign_id)
        .where(Assignment.id == assignment.id)
    )
    if done:
        raise Conflict(N_("This tower was inspected already: the assignment is done"))


def _plain(assignment: Assignment) -> dict[str, Any]:
    return {
        "inspector": str(assignment.inspector_id) if assignment.inspector_id else None,
        "due_on": assignment.due_on.isoformat(),
    }


def _written(
    session: Session,
    assignment: Assignment,
    action: str,
    *,
    by: Actor,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    session.flush()
    audit.record(
        session, action, "assignment", assignment.id, by=by, now=now, before=before, after=after
    )
