"""Who sees and keeps the register: the territory is one predicate."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from core import policy
from core.exports import Export
from core.policy import Actor
from towers.models import Document, Tower, TowerProposal

READERS = {"admin", "staff", "inspector", "local_officer"}


def visible(actor: Actor) -> ColumnElement[bool]:
    """The towers in the actor's territory.

    Operators see theirs once a notice has been issued to them; there are none before notices.
    """
    return in_territory(actor, Tower.commune_id)


def in_territory(actor: Actor, commune_id: Any) -> ColumnElement[bool]:
    """Whether a commune, by the column of its number, lies in the actor's territory."""
    if actor.communes is None:
        return true()
    if not actor.communes:
        return false()
    return commune_id.in_(sorted(actor.communes))


def counted(actor: Actor, commune_id: Any) -> ColumnElement[bool]:
    """The scope of the towers that stand in a table only as their number by commune."""
    return in_territory(actor, commune_id) if policy.allows(actor, "tower.view") else false()


def sees_every_tower(actor: Actor) -> bool:
    """Whether no tower is out of the actor's scope."""
    return actor.communes is None and policy.allows(actor, "tower.view")


def reaches(actor: Actor, tower: Tower) -> bool:
    return actor.communes is None or tower.commune_id in actor.communes


def visible_proposals(actor: Actor) -> ColumnElement[bool]:
    """The proposals about towers and places in the actor's territory, and the actor's own."""
    if actor.communes is None:
        return true()
    mine = TowerProposal.by_id == actor.id
    if not actor.communes:
        return mine
    return or_(
        mine,
        TowerProposal.tower_id.in_(select(Tower.id).where(visible(actor))),
        and_(
            TowerProposal.tower_id.is_(None), TowerProposal.commune_id.in_(sorted(actor.communes))
        ),
    )


def reaches_proposal(actor: Actor, proposal: TowerProposal) -> bool:
    if actor.communes is None or proposal.by_id == actor.id:
        return True
    if proposal.tower is not None:
        return reaches(actor, proposal.tower)
    return proposal.commune_id in actor.communes


def visible_documents(actor: Actor) -> ColumnElement[bool]:
    """The documents of towers in scope, and those that came with a proposal in scope."""
    if actor.communes is None:
        return true()
    return or_(
        Document.tower_id.in_(select(Tower.id).where(visible(actor))),
        Document.proposal_id.in_(select(TowerProposal.id).where(visible_proposals(actor))),
    )


def reaches_document(actor: Actor, document: Document) -> bool:
    if document.tower is not None and reaches(actor, document.tower):
        return True
    return document.proposal is not None and reaches_proposal(actor, document.proposal)


def register() -> None:
    policy.register(
        "tower",
        actions={
            "view": READERS,
            "create": {"staff"},
            "edit": {"staff"},
            "import": {"staff"},
            "export": READERS,
            "reassign": {"admin", "staff"},
            # An inspector who stands below the mast determines what nobody knew.
            "determine": {"staff", "inspector"},
            "merge": {"staff"},
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
    policy.register(
        "export",
        actions={"view": READERS, "make": READERS},
        visible=lambda actor: Export.actor_id == str(actor.id),
        reaches=lambda actor, export: export.actor_id == str(actor.id),
    )
    policy.register(
        "document",
        actions={
            "view": READERS,
            "add": {"staff", "inspector", "local_officer"},
            "remove": {"staff"},
        },
        visible=visible_documents,
        reaches=reaches_document,
    )
    policy.register(
        "proposal",
        actions={
            "view": READERS,
            "create": {"inspector", "local_officer"},
            "decide": {"staff"},
        },
        visible=visible_proposals,
        reaches=reaches_proposal,
    )
