"""Territories that name an area which has ended: who has them, and giving them its heirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import User
from accounts.services import users as services
from areas import queries as areas
from areas.models import Area
from areas.queries import Heir
from areas.services.following import Consequence
from core import policy
from core.policy import Actor


@dataclass(frozen=True)
class Ended:
    """An area of somebody's territory that has ended, and who has its land today."""

    user: User
    area: Area
    heirs: Sequence[Heir]

    @property
    def main(self) -> list[Area]:
        """Whom the user gets in its place: the main heirs, where there are any."""
        return [heir.area for heir in self.heirs if heir.main]


def ended_territories(session: Session, actor: Actor) -> list[Ended]:
    """Every ended area in a territory, of the accounts that the actor may see, by address."""
    users = session.scalars(
        select(User)
        .where(
            policy.visible(actor, "user"),
            User.territories.any(Area.valid_to.is_not(None)),
        )
        .order_by(User.email, User.id)
    ).all()
    heirs: dict[int, list[Heir]] = {}
    found = []
    for user in users:
        for area in sorted(user.territories, key=lambda one: (one.code, one.id)):
            if area.valid_to is None:
                continue
            if area.id not in heirs:
                heirs[area.id] = areas.successors(session, area)
            found.append(Ended(user, area, heirs[area.id]))
    return found


def give_heirs(session: Session, *, by: Actor, now: datetime) -> int:
    """Put the main heirs in the place of ended areas, in every territory; returns how many users.

    An area without heirs stays, so that somebody sees it and decides.
    """
    policy.require(by, "user.edit")
    ended: dict[User, list[Ended]] = {}
    for one in ended_territories(session, by):
        if one.main:
            ended.setdefault(one.user, []).append(one)
    for user, replaced in ended.items():
        gone = {one.area.id for one in replaced}
        kept = {area.id: area for area in user.territories if area.id not in gone}
        kept |= {area.id: area for one in replaced for area in one.main}
        services.update_user(
            session,
            user,
            name=user.name,
            roles=[role.name for role in user.roles],
            everywhere=user.everywhere,
            territories=list(kept.values()),
            organisation=user.organisation,
            active=user.active,
            by=by,
            now=now,
        )
    return len(ended)


def follow_areas(session: Session, *, keep: bool, by: Actor, now: datetime) -> Consequence | None:
    """Say whose territory names an area that has ended; nobody's territory changes by itself."""
    found = ended_territories(session, by)
    if not found:
        return None
    rows = [
        {
            "email": one.user.email,
            "name": one.user.name or one.user.email,
            "area": one.area.full_name,
            "heirs": ", ".join(area.name for area in one.main),
        }
        for one in found
    ]
    lines = tuple(
        f"territory of {row['email']}: {row['area']} has ended; heirs: {row['heirs'] or 'none'}"
        for row in rows
    )
    return Consequence("accounts/_ended_territories.html", {"rows": rows, "kept": keep}, lines)
