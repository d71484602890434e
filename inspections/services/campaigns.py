"""Campaigns: made with their towers, changed, started, closed or cancelled."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import orjson
from geoalchemy2 import WKTElement
from sqlalchemy import Integer, Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from core import audit, policy
from core.db import allow_long_statements
from core.errors import Conflict, Invalid, NotFound
from core.i18n import N_
from core.outlines import outline
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.queries import campaigns as queries
from inspections.rules.campaign import NEXT, OPEN, Ending, Kind, State, Work
from inspections.services import campaign_works as works
from inspections.services.campaign_plans import MOST_CODES, MOST_NAMED, Choice, Plan
from inspections.services.campaign_works import Tell, unheard
from towers.models import Tower
from towers.queries import understood
from towers.schemas import MOST_CORNERS


def preview(
    session: Session, choice: Choice, *, campaign: Campaign | None = None, by: Actor, today: date
) -> tuple[int, int]:
    """How many towers a choice finds in the actor's scope, and how many a campaign already has.

    Raises `Invalid` for a drawn area that is no sound polygon in the deployment's envelope.
    """
    policy.require(by, "campaign.plan", campaign)
    drawn_area(session, choice)
    _require_codes(session, choice.codes, by)
    chosen = queries.matching(by, choice.filters, choice.codes, today=today).subquery()
    number = session.scalar(select(func.count()).select_from(chosen)) or 0
    if campaign is None:
        return number, 0
    known = session.scalar(
        select(func.count())
        .select_from(Assignment)
        .where(
            Assignment.campaign_id == campaign.id,
            Assignment.ended_at.is_(None),
            Assignment.tower_id.in_(select(chosen.c.id)),
        )
    )
    return number, known or 0


def drawn_area(session: Session, choice: Choice) -> WKTElement | None:
    """The drawn area as the database takes it; raises `Invalid` for one that is not sound."""
    corners = choice.filters.area
    if not corners:
        return None
    ring = [[x, y] for x, y in (*corners, corners[0])]
    given = {"type": "Polygon", "coordinates": [ring]}
    return outline(session, given, field="area", most=MOST_CORNERS + 1)


def create_campaign(
    session: Session,
    campaign_id: uuid.UUID,
    plan: Plan,
    choice: Choice,
    *,
    by: Actor,
    now: datetime,
    today: date,
) -> tuple[Campaign, bool]:
    """Make a campaign with the towers that are chosen, under the id that its client made.

    Returns it and whether it is new: the same body again is the first answer, another one a
    `Conflict`. More than `works.AT_ONCE` towers follow by the worker. Raises `Invalid` for wrong
    days, for a drawn area that is not sound, and where the choice finds no tower or names one that
    the actor does not see.
    """
    policy.require(by, "campaign.plan")
    _check(plan)
    said = {"plan": plan.plain(), "choice": choice.plain(), "codes": list(choice.codes)}
    digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
    area = drawn_area(session, choice)
    made = session.scalar(
        upsert(Campaign)
        .values(
            id=campaign_id,
            body_hash=digest,
            **_columns(plan),
            area=area,
            by_id=by.id,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Campaign.id)
    )
    known = session.get_one(Campaign, campaign_id, populate_existing=True)
    if made is None:
        if known.by_id != by.id:
            raise NotFound()
        if known.body_hash != digest:
            raise Conflict(N_("Another campaign was sent under this number before"))
        return known, False
    _require_codes(session, choice.codes, by)
    number = queries.count_matching(session, by, choice.filters, choice.codes, today=today)
    if not number:
        message = N_("No tower matches: a campaign needs at least one")
        raise Invalid(message, fields={"choice": [message]})
    audit.record(
        session,
        "campaign.create",
        "campaign",
        known.id,
        by=by,
        now=now,
        after={**plan.plain(), "towers": number, "choice": choice.plain()},
    )
    if number > works.AT_ONCE:
        works.put_off(session, known, Work.ADD, choice.plain(), number, by=by, now=now)
    else:
        _add(session, known, choice, by=by, now=now, today=today)
    return known, True


def _columns(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name.strip(),
        "kind": plan.kind.value,
        "begins_on": plan.begins_on,
        "ends_on": plan.ends_on,
        "note": plan.note,
    }


def _check(plan: Plan) -> None:
    if not plan.name.strip():
        message = N_("Give the campaign a name")
        raise Invalid(message, fields={"name": [message]})
    if plan.ends_on < plan.begins_on:
        message = N_("The campaign ends before it begins")
        raise Invalid(message, fields={"ends_on": [message]})


def edit_campaign(
    session: Session, campaign: Campaign, plan: Plan, *, by: Actor, now: datetime
) -> bool:
    """Change what a campaign says of itself while it is planned or running.

    What was due on its last day is due on the new one. The kind stays once it runs, since it
    decides which inspections count. Returns whether it is done: the worker moves the days of more
    than `works.AT_ONCE` towers. Raises `Invalid` and `Conflict`.
    """
    _require_open(session, campaign, by)
    _check(plan)
    if campaign.state != State.PLANNED and plan.kind != campaign.kind:
        message = N_("The kind of a running campaign cannot be changed")
        raise Conflict(message)
    if plan.ends_on != campaign.ends_on:
        number = session.scalar(
            select(func.count()).select_from(_due_at_the_end(campaign).subquery())
        )
        if (number or 0) > works.AT_ONCE:
            works.put_off(session, campaign, Work.EDIT, plan.plain(), number or 0, by=by, now=now)
            return False
    edit_now(session, campaign, plan, by=by, now=now)
    return True


def edit_now(
    session: Session,
    campaign: Campaign,
    plan: Plan,
    *,
    by: Actor,
    now: datetime,
    tell: Tell = unheard,
) -> int:
    """The same however many towers it moves; returns how many these are."""
    before = _plain(campaign)
    if before == plan.plain():
        return 0
    moved = 0
    if plan.ends_on != campaign.ends_on:
        allow_long_statements(session)
        with works.staged(session, _due_at_the_end(campaign), Assignment.tower_id) as rows:
            for batch in rows.batches(tell):
                session.execute(
                    update(Assignment)
                    .where(Assignment.id == rows.rows.id, batch)
                    .values(due_on=plan.ends_on, version=Assignment.version + 1)
                    .execution_options(synchronize_session=False)
                )
            moved = rows.number
    for name, value in _columns(plan).items():
        setattr(campaign, name, value)
    campaign.version += 1
    session.flush()
    _written(session, campaign, "campaign.edit", by=by, now=now, before=before, after=plan.plain())
    return moved


def _due_at_the_end(campaign: Campaign) -> Select[*tuple[Any, ...]]:
    """The assignments of a campaign that are due on its last day."""
    return select(Assignment.id, literal(None, Integer)).where(
        Assignment.campaign_id == campaign.id,
        Assignment.ended_at.is_(None),
        Assignment.due_on == campaign.ends_on,
    )


def _plain(campaign: Campaign) -> dict[str, Any]:
    return Plan(
        campaign.name, Kind(campaign.kind), campaign.begins_on, campaign.ends_on, campaign.note
    ).plain()


def move_campaign(
    session: Session,
    campaign: Campaign,
    state: State,
    *,
    reason: str = "",
    by: Actor,
    now: datetime,
    today: date,
) -> int | None:
    """Start, close, reopen or cancel a campaign; returns how many towers were withdrawn.

    Cancelling needs a reason, and takes the towers that nobody has inspected yet out of it; the
    worker takes more than `works.AT_ONCE`, then it is `None`. Raises `Conflict` for a step that is
    not possible, with those that are.
    """
    policy.require(by, "campaign.plan", campaign)
    works.require_free(session, campaign.id)
    possible = NEXT[State(campaign.state)]
    if state not in possible:
        raise Conflict(
            N_("This campaign cannot take this step now"),
            state=campaign.state,
            possible=[one.value for one in possible],
        )
    if state is State.CANCELLED and not reason.strip():
        message = N_("Say why the campaign is cancelled")
        raise Invalid(message, fields={"reason": [message]})
    if state is State.CANCELLED:
        open_ones = _open_ones(campaign, by, today).subquery()
        number = session.scalar(select(func.count()).select_from(open_ones)) or 0
        if number > works.AT_ONCE:
            said = {"reason": reason.strip()}
            works.put_off(session, campaign, Work.CANCEL, said, number, by=by, now=now)
            return None
        return cancel_now(session, campaign, reason.strip(), by=by, now=now, today=today)
    before = {"state": campaign.state}
    campaign.state, campaign.reason = state.value, ""
    campaign.ended_at = None if state in OPEN else now
    campaign.version += 1
    session.flush()
    after = {"state": state.value}
    _written(session, campaign, f"campaign.{state}", by=by, now=now, before=before, after=after)
    return 0


def cancel_now(
    session: Session,
    campaign: Campaign,
    reason: str,
    *,
    by: Actor,
    now: datetime,
    today: date,
    tell: Tell = unheard,
) -> int:
    """Cancel a campaign however many towers are withdrawn by that; returns how many."""
    before = {"state": campaign.state}
    allow_long_statements(session)
    with works.staged(session, _open_ones(campaign, by, today), Assignment.tower_id) as rows:
        for batch in rows.batches(tell):
            chosen = select(rows.rows.id).where(batch)
            _end(session, chosen, Ending.CANCELLED, reason, by=by, now=now)
    campaign.state, campaign.reason, campaign.ended_at = State.CANCELLED.value, reason, now
    campaign.version += 1
    session.flush()
    after = {"state": State.CANCELLED.value, "reason": reason, "withdrawn": rows.number}
    _written(session, campaign, "campaign.cancelled", by=by, now=now, before=before, after=after)
    return rows.number


def _open_ones(campaign: Campaign, by: Actor, today: date) -> Select[Any]:
    """The assignments of a campaign that nobody has inspected yet, in every commune."""
    wanted = queries.Wanted(campaign=campaign.id)
    columns = select(Assignment.id, Tower.commune_id)
    return queries.live(by_all(by), wanted, columns, today=today).where(~queries.is_done())


def by_all(by: Actor) -> Actor:
    """The actor with the whole register as territory: for what concerns a campaign as a whole."""
    return Actor(by.id, by.email, by.roles, None, by.organisation_id, by.name)


def add_towers(
    session: Session, campaign: Campaign, choice: Choice, *, by: Actor, now: datetime, today: date
) -> int | None:
    """Add the towers of a choice that are not in it yet; returns how many these are.

    It is `None` where they are more than `works.AT_ONCE` and follow by the worker.
    """
    _require_open(session, campaign, by)
    drawn_area(session, choice)
    _require_codes(session, choice.codes, by)
    number = queries.count_matching(session, by, choice.filters, choice.codes, today=today)
    if number > works.AT_ONCE:
        works.put_off(session, campaign, Work.ADD, choice.plain(), number, by=by, now=now)
        return None
    return add_now(session, campaign, choice, by=by, now=now, today=today)


def add_now(
    session: Session,
    campaign: Campaign,
    choice: Choice,
    *,
    by: Actor,
    now: datetime,
    today: date,
    tell: Tell = unheard,
) -> int:
    """The same however many they are."""
    number = _add(session, campaign, choice, by=by, now=now, today=today, tell=tell)
    if number:
        campaign.version += 1
        after = {"towers": number, "choice": choice.plain()}
        _written(session, campaign, "campaign.add", by=by, now=now, after=after)
    return number


def _add(
    session: Session,
    campaign: Campaign,
    choice: Choice,
    *,
    by: Actor,
    now: datetime,
    today: date,
    tell: Tell = unheard,
) -> int:
    """Put the chosen towers into a campaign by statements of many rows."""
    allow_long_statements(session)
    filters = understood(session, by, choice.filters)
    chosen = queries.matching(by, filters, choice.codes, today=today)
    added = 0
    with works.staged(session, chosen.add_columns(Tower.commune_id), Tower.id) as rows:
        for batch in rows.batches(tell):
            added += _put(session, campaign, select(rows.rows.id).where(batch), by=by, now=now)
    return added


def _put(
    session: Session, campaign: Campaign, towers: Select[Any], *, by: Actor, now: datetime
) -> int:
    chosen = towers.subquery()
    rows = select(
        literal(campaign.id), chosen.c.id, literal(campaign.ends_on), literal(now), literal(by.id)
    )
    live = Assignment.ended_at.is_(None) & Assignment.campaign_id.is_not(None)
    return session.execute(
        upsert(Assignment)
        .from_select(
            ["campaign_id", "tower_id", "due_on", "added_at", "added_by_id"],
            rows,
            # Those of the model would give every row the same number.
            include_defaults=False,
        )
        .on_conflict_do_nothing(index_elements=["campaign_id", "tower_id"], index_where=live)
        .execution_options(preserve_rowcount=True)
    ).rowcount  # type: ignore[attr-defined]


def _require_codes(session: Session, codes: Sequence[str], by: Actor) -> None:
    if not codes:
        return
    if len(codes) > MOST_CODES:
        message = N_("At most %(most)s towers can be named one by one: take a filter")
        facts = {"most": MOST_CODES}
        raise Invalid(message, fields={"codes": [(message, facts)]}, **facts)
    known = set(
        session.scalars(
            select(Tower.code).where(Tower.code.in_(codes), policy.visible(by, "tower"))
        )
    )
    missing = [code for code in codes if code not in known]
    if missing:
        message = N_("There is no tower with the code %(code)s in your territory")
        code = {"code": missing[0]}
        raise Invalid(message, fields={"codes": [(message, code)]}, **code)


def remove_towers(
    session: Session,
    campaign: Campaign,
    ids: Sequence[uuid.UUID],
    *,
    reason: str,
    by: Actor,
    now: datetime,
) -> int:
    """Take towers out of a campaign by the numbers of their assignments; returns how many left.

    A reason is needed; each row stays with it, with who removed it and when.
    """
    _require_open(session, campaign, by)
    if not reason.strip():
        message = N_("Say why these towers are removed")
        raise Invalid(message, fields={"reason": [message]})
    if not ids:
        message = N_("Choose at least one tower")
        raise Invalid(message, fields={"assignments": [message]})
    chosen = select(Assignment.id).where(
        Assignment.campaign_id == campaign.id,
        Assignment.id.in_(ids),
        Assignment.ended_at.is_(None),
        policy.visible(by, "assignment"),
    )
    codes = session.scalars(
        select(Tower.code)
        .join(Assignment, Assignment.tower_id == Tower.id)
        .where(Assignment.id.in_(chosen))
        .order_by(Tower.code)
        .limit(MOST_NAMED)
    ).all()
    number = _end(session, chosen, Ending.REMOVED, reason.strip(), by=by, now=now)
    if number:
        campaign.version += 1
        after: dict[str, Any] = {"towers": number, "codes": list(codes), "reason": reason.strip()}
        _written(session, campaign, "campaign.remove", by=by, now=now, after=after)
    return number


def _end(
    session: Session, chosen: Any, ending: Ending, reason: str, *, by: Actor, now: datetime
) -> int:
    allow_long_statements(session)
    return session.execute(
        update(Assignment)
        .where(Assignment.id.in_(chosen))
        .values(
            ended_at=now,
            ended_by_id=by.id,
            ending=ending.value,
            reason=reason,
            version=Assignment.version + 1,
        )
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]


def _require_open(session: Session, campaign: Campaign, by: Actor) -> None:
    policy.require(by, "campaign.plan", campaign)
    works.require_free(session, campaign.id)
    if campaign.state not in OPEN:
        raise Conflict(
            N_("This campaign is over and can no longer be changed"), state=campaign.state
        )


def _written(
    session: Session,
    campaign: Campaign,
    action: str,
    *,
    by: Actor,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        session, action, "campaign", campaign.id, by=by, now=now, before=before, after=after
    )
    session.flush()
