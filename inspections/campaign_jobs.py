"""What is done to the many towers of a large campaign, as the worker does it."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from accounts.models import User
from accounts.security import actor_of
from core import clock
from core.db import current_session, transaction
from core.errors import Forbidden
from core.jobs import Running
from core.policy import Actor
from core.words import N_
from inspections.campaign_models import Campaign
from inspections.rules.campaign import Work
from inspections.services import assignments, campaigns
from inspections.services import campaign_works as works
from inspections.services.campaign_plans import Choice, Plan


def work(job: Running, *, campaign: str) -> None:
    """Do what was asked for in one transaction: one that is stopped leaves nothing."""
    now, today = clock.now(), clock.today()
    with transaction() as session:
        held = session.get_one(Campaign, uuid.UUID(campaign), with_for_update={"of": Campaign})
        asked = works.of_job(session, held.id, job.id)
        if asked is None:
            return
        by = actor(asked.by_id)

        def tell(done: int, total: int) -> None:
            job.progress(done, total, N_("Writing the towers"))

        match Work(asked.what):
            case Work.ADD:
                choice = Choice.from_plain(asked.said)
                towers = campaigns.add_now(
                    session, held, choice, by=by, now=now, today=today, tell=tell
                )
            case Work.SHARE:
                towers = assignments.share_now(
                    session, held, asked.said, by=by, now=now, today=today, tell=tell
                )
            case Work.EDIT:
                plan = Plan.from_plain(asked.said)
                towers = campaigns.edit_now(session, held, plan, by=by, now=now, tell=tell)
            case Work.CANCEL:
                towers = campaigns.cancel_now(
                    session, held, asked.said["reason"], by=by, now=now, today=today, tell=tell
                )
        works.finish(session, asked, towers, now=now)
        job.check()


def actor(user_id: uuid.UUID) -> Actor:
    """Who asked, with what they may do now; raises `Forbidden` for who may no longer sign in."""
    session = current_session()
    person = session.scalar(select(User).where(User.id == user_id, User.active))
    if person is None:
        raise Forbidden()
    return actor_of(session, person)


JOBS = {works.JOB: work}
