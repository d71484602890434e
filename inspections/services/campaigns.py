"""Campaigns: made with their towers, changed, started, closed or cancelled."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

import orjson
from geoalchemy2 import WKTElement
from sqlalchemy import func, literal, select, update
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
from inspections.rules.campaign import NEXT, OPEN, Ending, Kind, State
from towers.models import Tower
from towers.queries import Filters
from towers.schemas import MOST_CORNERS

# Towers that are named one by one; more are chosen by filters.
MOST_CODES = 5_000
# An audit entry names as many codes as these; the rows themselves tell of each tower.
MOST_NAMED = 200


@dataclass(frozen=True)
class Choice:
    """Which towers: those that the filters of the register find, or some by their codes."""

    filters: Filters = field(default_factory=Filters)
    codes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The choice as JSON, what is empty left out."""
        if self.codes:
            return {"codes": list(self.codes[:MOST_NAMED]), "number": len(self.codes)}
        said = {}
        for one in fields(self.filters):
            value = getattr(self.filters, one.name)
            if one.compare and value != one.default:
                said[one.name] = _json(value)
        return said


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if hasattr(value, "west"):
        return [value.west, value.south, value.east, value.north]
    return value if isinstance(value, bool | int | float | str) else str(value)


@dataclass(frozen=True)
class Plan:
    """What a campaign says of itself; both days belong to it."""

    name: str
    kind: Kind
    begins_on: date
    ends_on: date
    note: str = ""

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "begins_on": self.begins_on.isoformat(),
            "ends_on": self.ends_on.isoformat(),
            "note": self.note,
        }


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
    `Conflict`. Raises `Invalid` for wrong days, for a drawn area that is not sound, and where the
    choice finds no tower or names one that the actor does not see.
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
    number = _add(session, known, choice, by=by, now=now, today=today)
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
) -> None:
    """Change what a campaign says of itself while it is planned or running.

    What was due on its last day is due on the new one. The kind stays once it runs, since it
    decides which inspections count. Raises `Invalid` and `Conflict`.
    """
    _require_open(campaign, by)
    _check(plan)
    if campaign.state != State.PLANNED and plan.kind != campaign.kind:
        message = N_("The kind of a running campaign cannot be changed")
        raise Conflict(message)
    before = _plain(campaign)
    if before == plan.plain():
        return
    moved = campaign.ends_on
    for name, value in _columns(plan).items():
        setattr(campaign, name, value)
    campaign.version += 1
    session.flush()
    if plan.ends_on != moved:
        allow_long_statements(session)
        session.execute(
            update(Assignment)
            .where(
                Assignment.campaign_id == campaign.id,
                Assignment.ended_at.is_(None),
                Assignment.due_on == moved,
            )
            .values(due_on=plan.ends_on, version=Assignment.version + 1)
            .execution_options(synchronize_session=False)
        )
    _written(session, campaign, "campaign.edit", by=by, now=now, before=before, after=plan.plain())


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
) -> int:
    """Start, close, reopen or cancel a campaign; returns how many towers were withdrawn.

    Cancelling needs a reason, and takes the towers that nobody has inspected yet out of it.
    Raises `Conflict` for a step that is not possible, with those that are.
    """
    policy.require(by, "campaign.plan", campaign)
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
    before = {"state": campaign.state}
    withdrawn = 0
    if state is State.CANCELLED:
        open_ones = queries.live(
            by_all(by), queries.Wanted(campaign=campaign.id), select(Assignment.id), today=today
        ).where(~queries.is_done())
        withdrawn = _end(session, open_ones, Ending.CANCELLED, reason.strip(), by=by, now=now)
    campaign.state = state.value
    campaign.reason = reason.strip() if state is State.CANCELLED else ""
    campaign.ended_at = None if state in OPEN else now
    campaign.version += 1
    session.flush()
    after: dict[str, Any] = {"state": state.value}
    if state is State.CANCELLED:
        after |= {"reason": campaign.reason, "withdrawn": withdrawn}
    _written(session, campaign, f"campaign.{state}", by=by, now=now, before=before, after=after)
    return withdrawn


def by_all(by: Actor) -> Actor:
    """The actor with the whole register as territory: for what concerns a campaign as a whole."""
    return Actor(by.id, by.email, by.roles, None, by.organisation_id, by.name)


def add_towers(
    session: Session, campaign: Campaign, choice: Choice, *, by: Actor, now: datetime, today: date
) -> int:
    """Add the towers of a choice that are not in it yet; returns how many these are."""
    _require_open(campaign, by)
    drawn_area(session, choice)
    number = _add(session, campaign, choice, by=by, now=now, today=today)
    if number:
        campaign.version += 1
        after = {"towers": number, "choice": choice.plain()}
        _written(session, campaign, "campaign.add", by=by, now=now, after=after)
    return number


def _add(
    session: Session, campaign: Campaign, choice: Choice, *, by: Actor, now: datetime, today: date
) -> int:
    """Put the chosen towers into a campaign by one statement."""
    _require_codes(session, choice.codes, by)
    allow_long_statements(session)
    chosen = queries.matching(by, choice.filters, choice.codes, today=today).subquery()
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
    _require_open(campaign, by)
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


def _require_open(campaign: Campaign, by: Actor) -> None:
    policy.require(by, "campaign.plan", campaign)
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
