"""What is done to many towers of a campaign: left to the worker, told, cancelled, and in batches.

Rows of `assignment` cost their foreign keys and indexes, about 0.1 ms each: for more than
`AT_ONCE` of them nobody should wait with a page open.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Select, Table, Uuid, func, insert, select, text
from sqlalchemy.orm import Session

from core import audit, jobs, policy
from core.errors import Conflict
from core.i18n import N_
from core.jobs import Progress
from core.policy import Actor
from inspections.campaign_models import Campaign, CampaignWork
from inspections.rules.campaign import Work

JOB = "campaigns.work"
# So many towers are written while somebody waits for the page.
AT_ONCE = 10_000
# So many are written between two looks at whether the work was cancelled.
BATCH = 10_000

Tell = Callable[[int, int], None]


def unheard(done: int, total: int) -> None:
    """Nobody waits for progress."""


def put_off(
    session: Session,
    campaign: Campaign,
    what: Work,
    said: Mapping[str, Any],
    expected: int,
    *,
    by: Actor,
    now: datetime,
) -> CampaignWork:
    """Leave something to the worker; the campaign changes no further until it is done."""
    require_free(session, campaign.id)
    assert by.id is not None
    known = session.get(CampaignWork, campaign.id)
    if known is not None:
        session.delete(known)
        session.flush()
    made = CampaignWork(
        campaign_id=campaign.id,
        what=what.value,
        said=dict(said),
        job_id=jobs.enqueue(session, JOB, campaign=str(campaign.id)),
        by_id=by.id,
        asked_at=now,
        expected=expected,
    )
    session.add(made)
    session.flush()
    _written(session, made, "campaign.put_off", by=by, now=now)
    return made


def of_campaign(session: Session, campaign_id: uuid.UUID) -> CampaignWork | None:
    """What the worker does or did last to a campaign."""
    return session.get(CampaignWork, campaign_id, populate_existing=True)


def progress_of(session: Session, work: CampaignWork) -> Progress | None:
    return jobs.progress(session, work.job_id)


def is_on_its_way(session: Session, work: CampaignWork | None) -> bool:
    """Whether the worker has still to do it; what failed or was cancelled can be asked again."""
    if work is None or work.finished_at is not None:
        return False
    progress = progress_of(session, work)
    return progress is not None and not progress.ended


def require_free(session: Session, campaign_id: uuid.UUID) -> None:
    """Raise `Conflict` while the worker has something to do to a campaign."""
    if is_on_its_way(session, of_campaign(session, campaign_id)):
        raise Conflict(N_("The towers of this campaign are being written: wait, or cancel that"))


def cancel(
    session: Session, campaign: Campaign, work: CampaignWork, *, by: Actor, now: datetime
) -> None:
    """Have the worker leave it; nothing of it is kept. Raises `Conflict` for what has ended."""
    policy.require(by, "campaign.plan", campaign)
    if not is_on_its_way(session, work) or not jobs.cancel(session, work.job_id):
        raise Conflict(N_("This has ended already"))
    _written(session, work, "campaign.take_back", by=by, now=now)


def of_job(session: Session, campaign_id: uuid.UUID, job_id: int) -> CampaignWork | None:
    """What a job should do, held; `None` where it was done or something else took its place."""
    work = session.get(CampaignWork, campaign_id, with_for_update=True)
    if work is None or work.job_id != job_id or work.finished_at is not None:
        return None
    return work


def finish(session: Session, work: CampaignWork, towers: int, *, now: datetime) -> None:
    work.towers, work.finished_at = towers, now
    session.flush()


def _written(
    session: Session, work: CampaignWork, action: str, *, by: Actor, now: datetime
) -> None:
    after = {"what": work.what, "towers": work.expected}
    audit.record(session, action, "campaign", work.campaign_id, by=by, now=now, after=after)


class Staged:
    """Some rows set aside in the order of their towers, so that they are written in batches.

    In that order a batch touches neighbouring pages of the tables and indexes that it is checked
    against. Its columns are `place` (from 1 on), `id` and `commune_id`.
    """

    def __init__(self, session: Session, table: Table, number: int) -> None:
        self.rows = table.c
        self.number = number
        self._session = session

    def batches(self, tell: Tell) -> Iterator[Any]:
        """Predicates of one batch after the other; `tell` hears how many rows are done."""
        for start in range(0, self.number, BATCH):
            tell(start, self.number)
            yield self.rows.place.between(start + 1, start + BATCH)
        tell(self.number, self.number)


@contextmanager
def staged(session: Session, statement: Select[Any], tower: Any) -> Iterator[Staged]:
    """What a statement of `id` and `commune_id` finds, by `tower`, until the block ends."""
    table = Table(
        "staged",
        MetaData(),
        Column("place", Integer, primary_key=True, autoincrement=False),
        Column("id", Uuid, nullable=False),
        Column("commune_id", Integer),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    # One that an error left lies here until its transaction ends.
    session.execute(text("DROP TABLE IF EXISTS pg_temp.staged"))
    table.create(session.connection())
    place = func.row_number().over(order_by=tower)
    found = statement.add_columns(place.label("place"))
    session.execute(
        insert(table).from_select(["id", "commune_id", "place"], found, include_defaults=False)
    )
    # Nothing else counts what lies in a table of the moment.
    session.execute(text("ANALYZE staged"))
    number = session.scalar(select(func.count()).select_from(table)) or 0
    yield Staged(session, table, number)
    table.drop(session.connection())
