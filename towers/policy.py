"""Who sees and keeps the register: the territory is one predicate."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from core import policy
from core.policy import Actor
from towers.models import Tower

READERS = {"admin", "staff", "inspector", "local_officer"}


def visible(actor: Actor) -> ColumnElement[bool]:
    """The towers in the actor's territory.

    Operators see theirs once a notice has been issued to them; there are none before notices.
    """
    if actor.communes is None:
        return true()
    if not actor.communes:
        return false()
    return Tower.commune_id.in_(sorted(actor.communes))


def reaches(actor: Actor, tower: Tower) -> bool:
    return actor.communes is None or tower.commune_id in actor.communes


def register() -> None:
    policy.register(
        "tower",
        actions={
            "view": READERS,
            "create": {"staff"},
            "edit": {"staff"},
            "import": {"staff"},
            "reassign": {"admin", "staff"},
            # An inspector who stands below the mast determines what nobody knew.
            "determine": {"staff", "inspector"},
        },
        visible=visible,
        reaches=reaches,
    )
    # A list may name towers of any commune: only who sees all of them sees lists.
    policy.register(
        "import",
        actions={"view": {"staff"}},
        visible=lambda actor: true() if actor.communes is None else false(),
        reaches=lambda actor, batch: actor.communes is None,
    )
