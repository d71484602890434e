"""Who sees and records inspections and violations: the scope is that of the tower."""

from __future__ import annotations

import uuid

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from accounts.rules import SHUT_OUT
from core import policy
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.field_models import ReviewItem
from inspections.models import Inspection, SavedList, Violation
from inspections.notice_models import Notice, NoticeItem
from inspections.reminder_models import Reminder
from inspections.rules.notice import NoticeState
from towers import policy as towers
from towers.models import Tower

READERS = {"admin", "staff", "inspector", "local_officer"}


def _tower_in_scope(actor: Actor, column: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[bool]:
    if actor.communes is None:
        return towers.visible(actor)
    return column.in_(select(Tower.id).where(towers.visible(actor)))


def visible_inspections(actor: Actor) -> ColumnElement[bool]:
    """The inspections of towers in scope, and one's own wherever they were made."""
    scope = _tower_in_scope(actor, Inspection.tower_id)
    return or_(scope, Inspection.inspector_id == actor.id) if actor.id else scope


def reaches_inspection(actor: Actor, inspection: Inspection) -> bool:
    return inspection.inspector_id == actor.id or towers.reaches(actor, inspection.tower)


def visible_violations(actor: Actor) -> ColumnElement[bool]:
    return _tower_in_scope(actor, Violation.tower_id)


def visible_assignments(actor: Actor) -> ColumnElement[bool]:
    """The assignments of towers in scope, and one's own."""
    scope = _tower_in_scope(actor, Assignment.tower_id)
    if actor.communes is None or actor.id is None:
        return scope
    return or_(scope, Assignment.inspector_id == actor.id)


def visible_campaigns(actor: Actor) -> ColumnElement[bool]:
    """The campaigns with a tower in scope or an assignment of one's own, and what one planned."""
    if actor.communes is None:
        return true()
    of_mine = (
        select(Assignment.id)
        .where(Assignment.campaign_id == Campaign.id, visible_assignments(actor))
        .exists()
    )
    return or_(of_mine, Campaign.by_id == actor.id) if actor.id else of_mine


def visible_notices(actor: Actor) -> ColumnElement[bool]:
    """The notices all of whose towers lie in scope: a document cannot be read by halves."""
    if actor.communes is None:
        return true()
    outside = (
        select(NoticeItem.notice_id)
        .join(Violation, Violation.id == NoticeItem.violation_id)
        .join(Tower, Tower.id == Violation.tower_id)
        .where(
            NoticeItem.notice_id == Notice.id, not_(func.coalesce(towers.visible(actor), false()))
        )
    )
    return ~outside.exists()


def reaches_notice(actor: Actor, notice: Notice) -> bool:
    return all(towers.reaches(actor, item.violation.tower) for item in notice.items)


def visible_own_notices(actor: Actor) -> ColumnElement[bool]:
    """The notices in force that were issued to the reader's organisation."""
    if actor.organisation_id is None:
        return false()
    return and_(Notice.owner_id == actor.organisation_id, Notice.state == NoticeState.ISSUED)


def visible_own_violations(actor: Actor) -> ColumnElement[bool]:
    """What those notices are about, at towers that still belong to the reader's organisation."""
    told = (
        select(NoticeItem.notice_id)
        .join(Notice, Notice.id == NoticeItem.notice_id)
        .where(NoticeItem.violation_id == Violation.id, visible_own_notices(actor))
    )
    own = select(Tower.id).where(Tower.owner_id == actor.organisation_id)
    return and_(Violation.tower_id.in_(own), told.exists())


def visible_review_items(actor: Actor) -> ColumnElement[bool]:
    """What phones brought for towers in scope; what names no tower is for those who see all."""
    if actor.communes is None:
        return true()
    return ReviewItem.tower_id.in_(select(Tower.id).where(towers.visible(actor)))


def reaches_review_item(actor: Actor, item: ReviewItem) -> bool:
    if item.tower is None:
        return actor.communes is None
    return towers.reaches(actor, item.tower)


def register() -> None:
    policy.register(
        "field",
        actions={
            "view": {"inspector"},
            # A phone that was shut out may bring what it has, and nothing else.
            "send": {"inspector", SHUT_OUT},
            "import": {"staff"},
        },
        # No thing of its own: what is taken along is asked for by the rules of towers and visits.
        visible=lambda actor: true(),
        reaches=lambda actor, thing: True,
    )
    policy.register(
        "review_item",
        actions={"view": {"staff"}, "decide": {"staff"}},
        visible=visible_review_items,
        reaches=reaches_review_item,
    )
    policy.register(
        "campaign",
        # A campaign may name towers of any commune: others change it only who see all of them.
        actions={"view": READERS, "plan": {"staff"}},
        visible=visible_campaigns,
        reaches=lambda actor, campaign: actor.communes is None or campaign.by_id == actor.id,
    )
    policy.register(
        "assignment",
        actions={"view": READERS, "give": {"staff"}, "take": {"inspector"}},
        visible=visible_assignments,
        reaches=lambda actor, assignment: towers.reaches(actor, assignment.tower),
    )
    policy.register(
        "inspection",
        actions={
            "view": READERS,
            "create": {"inspector"},
            "correct": {"inspector"},
            "sign": {"inspector"},
            "review": {"staff"},
            "ask_void": {"staff", "inspector"},
            "void": {"staff"},
        },
        visible=visible_inspections,
        reaches=reaches_inspection,
    )
    policy.register(
        "violation",
        actions={
            "view": READERS,
            "export": READERS,
            "follow_up": {"staff"},
            # Who answers to a notice speaks for the owner, and may nothing else.
            "claim": {"staff", "owner_by_link", "owner_by_account"},
            "decide": {"staff"},
            "assign": {"staff"},
        },
        visible=visible_violations,
        reaches=lambda actor, violation: towers.reaches(actor, violation.tower),
    )
    policy.register(
        "statistics",
        actions={"view": READERS, "export": READERS},
        visible=towers.visible,
        reaches=lambda actor, thing: True,
    )
    policy.register(
        "reminder",
        actions={"view": {"staff", "admin"}, "retry": {"staff"}},
        visible=lambda actor: _tower_in_scope(actor, Reminder.tower_id),
        reaches=lambda actor, reminder: towers.reaches(actor, reminder.tower),
    )
    policy.register(
        "saved_list",
        actions={"view": READERS, "save": READERS},
        visible=lambda actor: SavedList.user_id == actor.id if actor.id else false(),
        reaches=lambda actor, saved: saved.user_id == actor.id,
    )
    policy.register(
        "notice",
        actions={
            "view": READERS,
            "draft": {"staff"},
            "issue": {"staff"},
            "template": {"admin", "staff"},
        },
        visible=visible_notices,
        reaches=reaches_notice,
        whole={"template"},
    )
    policy.register(
        "own_notice",
        actions={"view": {"operator"}, "answer": {"operator"}},
        visible=visible_own_notices,
        reaches=lambda actor, notice: (
            notice.state == NoticeState.ISSUED
            and actor.organisation_id is not None
            and notice.owner_id == actor.organisation_id
        ),
    )
    policy.register(
        "own_violation",
        actions={"view": {"operator"}},
        visible=visible_own_violations,
        reaches=lambda actor, violation: (
            actor.organisation_id is not None and violation.tower.owner_id == actor.organisation_id
        ),
    )
    policy.register(
        "assessment",
        actions={"view": READERS, "request": {"staff", "inspector"}, "answer": {"staff"}},
        visible=lambda actor: _tower_in_scope(actor, Tower.id),
        reaches=lambda actor, tower: towers.reaches(actor, tower),
    )
    policy.register(
        "checklist",
        actions={"view": READERS, "edit": {"staff"}, "publish": {"staff"}},
        visible=lambda actor: policy.visible(actor, "area"),
        reaches=lambda actor, thing: True,
        # What the whole province is inspected by.
        whole={"edit", "publish"},
    )
