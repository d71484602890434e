"""What of the register follows when two organisations are found to be one."""

from __future__ import annotations

from sqlalchemy import insert, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.audit import AuditEntry
from core.i18n import N_
from core.merging import Follower, Merge, Step
from towers.models import Installation, Permit, Tower


def _noted(column: InstrumentedAttribute) -> Step:
    """Raise the version of each tower that will name the other organisation, and write it down.

    An owner may have thousands of towers: two statements for all of them.
    """

    def note(session: Session, merge: Merge) -> None:
        towers = session.scalars(
            update(Tower)
            .where(column == merge.drop)
            .values(version=Tower.version + 1, updated_at=merge.now)
            .returning(Tower.id)
            .execution_options(synchronize_session=False)
        ).all()
        entry = {
            "at": merge.now,
            "actor_id": str(merge.by.id) if merge.by.id else None,
            "actor": merge.by.email,
            "action": "tower.edit",
            "kind": "tower",
            "before": {column.key: str(merge.drop)},
            "after": {column.key: str(merge.keep)},
        }
        if towers:
            session.execute(
                insert(AuditEntry), [{**entry, "object_id": str(tower)} for tower in towers]
            )

    return note


FOLLOWERS = (
    Follower(N_("Towers as owner"), Tower.owner_id, before=_noted(Tower.owner_id)),
    Follower(N_("Towers as manager"), Tower.manager_id, before=_noted(Tower.manager_id)),
    Follower(N_("Installations as operator"), Installation.operator_id),
    Follower(N_("Permits"), Permit.organisation_id),
)
