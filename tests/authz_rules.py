"""The rules of the policy themselves: both forms of each say the same, of every kind of thing.

Pages find things by the predicate of SQL; services ask of one thing, once more. What a request
would show only if the other form were missing too is asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from accounts.security import actor_of
from core import policy
from core.exports import Export
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.field_models import ReviewItem
from inspections.models import Inspection, SavedList, Violation
from inspections.notice_models import Notice
from inspections.reminder_models import Reminder
from tests.authz import COLUMNS, Bench, Wrong
from towers.imports.models import ImportBatch
from towers.models import Document, Tower, TowerProposal

# Kinds whose things are the same for whoever may have anything to do with them.
UNBOUND = {"area", "audit", "checklist", "field", "user"}
# What is made of the towers in scope, and is no thing of its own.
COUNTED = {"statistics"}
# Of each other kind: its table, and what names one of its things among the values of an address.
THINGS = {
    "assessment": (Tower, "tower_id"),
    "assignment": (Assignment, "assignment_id"),
    "campaign": (Campaign, "campaign_id"),
    "document": (Document, "document_id"),
    "export": (Export, "export_id"),
    "import": (ImportBatch, "batch_id"),
    "inspection": (Inspection, "inspection_id"),
    "notice": (Notice, "notice_id"),
    "organisation": (Organisation, "organisation_id"),
    "own_notice": (Notice, "own_notice_id"),
    "own_violation": (Violation, "violation_id"),
    "proposal": (TowerProposal, "proposal_id"),
    "reminder": (Reminder, "reminder_id"),
    "review_item": (ReviewItem, "item_id"),
    "saved_list": (SavedList, "saved_id"),
    "tower": (Tower, "tower_id"),
    "violation": (Violation, "violation_id"),
}
ALL = {"admin", "staff"}
TERRITORY = {"staff_here", "inspector", "local_officer"}
EVERYBODY = ALL | TERRITORY
# Whose own and whose foreign things lie in the scope of whom. A thing is somebody's own by its
# place where nothing else is said; who sees the whole register sees both.
OWN = {
    # Changed by whoever sees all its towers, or planned it.
    "campaign": ALL,
    "export": ALL | {"inspector", "local_officer", "operator"},
    "import": ALL,
    "organisation": EVERYBODY | {"operator"},
    "own_notice": {"operator"},
    "own_violation": {"operator"},
    "saved_list": EVERYBODY | {"operator"},
}
OTHER = {
    "export": set(),
    "import": ALL,
    "organisation": EVERYBODY,
    "own_notice": set(),
    "own_violation": set(),
    "saved_list": set(),
}
# Who sees things that they may not change; and who looks at such things at all.
SEEN = {"campaign": EVERYBODY}
VIEWERS = {
    "export": EVERYBODY,
    "import": {"staff", "staff_here"},
    "reminder": {"admin", "staff", "staff_here"},
    "review_item": {"staff", "staff_here"},
    "saved_list": EVERYBODY,
}
# What services and pages ask for, and no route by its name: who has it.
ACTIONS = {
    "organisation.contacts": {"admin", "staff", "operator"},
    "tower.determine": {"staff", "inspector"},
    "violation.claim": {"staff", "owner_by_link", "owner_by_account"},
}
# What counts everywhere: who has it, as far as they see the whole register.
WHOLE = {
    "checklist.edit": {"staff"},
    "checklist.publish": {"staff"},
    "notice.template": {"admin", "staff"},
    "organisation.merge": {"admin", "staff"},
}


def wrong(bench: Bench, kinds: Iterable[str] = (*THINGS, *COUNTED)) -> Iterator[Wrong]:
    """What is not as it should be of some kinds, beside the lines of `authz.yaml`."""
    session = bench.session
    for role in COLUMNS[1:]:
        actor = actor_of(session, bench.people[role])
        for kind in set(kinds) & set(THINGS):
            for case, whose in (("own", OWN), ("other", OTHER)):
                inside = whose.get(kind, EVERYBODY if case == "own" else ALL)
                seen = inside if case == "other" else SEEN.get(kind, inside)
                seen = seen & VIEWERS.get(kind, seen)
                yield from _thing(bench, kind, case, role, actor, role in inside, role in seen)
        if "statistics" in kinds and role in TERRITORY:
            body = bench.ask(role, "GET", "/api/v1/statistics").get_json()
            if body["whole"]["now"]["towers"] != 1:
                yield Wrong(role, "visible", "statistics", "counts what is not theirs")
        for action, roles in ACTIONS.items():
            if policy.allows(actor, action) != (not actor.roles.isdisjoint(roles)):
                yield Wrong(role, "may", action, "the roles are others")
        for action, roles in WHOLE.items():
            everywhere, somewhere = (replace(actor, communes=of) for of in (None, frozenset({1})))
            if policy.allows(everywhere, action) != (not actor.roles.isdisjoint(roles)):
                yield Wrong(role, "may", action, "the roles are others")
            if policy.allows(somewhere, action):
                yield Wrong(role, "may", action, "a territory is enough")


def _thing(
    bench: Bench, kind: str, case: str, role: str, actor: Actor, inside: bool, seen: bool
) -> Iterator[Wrong]:
    table, name = THINGS[kind]
    value = bench.values[role, case][name]
    thing = bench.session.get_one(table, value)
    if policy._registry.rules[kind].reaches(actor, thing) != inside:
        yield Wrong(role, "reaches", kind, f"{case} things {'are not' if inside else 'are'} theirs")
    if shown(bench.session, actor, kind, table, value) != seen:
        yield Wrong(role, "visible", kind, f"{case} things {'are not' if seen else 'are'} seen")


def shown(session: Session, actor: Actor, kind: str, table: type, value: object) -> bool:
    """Whether the predicate of a kind lets an actor see one thing."""
    asked = select(table.id).where(table.id == value, policy.visible(actor, kind))  # type: ignore[attr-defined]
    return session.scalar(asked) is not None


def kinds_without_a_rule() -> set[str]:
    """Kinds that the policy knows and this file does not, or the other way round."""
    return set(policy._registry.rules) ^ (set(THINGS) | UNBOUND | COUNTED)
