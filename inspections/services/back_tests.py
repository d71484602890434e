"""Back-tests: which past inspections a draft of the checklist would judge otherwise.

Only answers to items whose judging differs are looked at, so that a test takes as long as the
change is wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.orm import Session

from core import jobs
from core.policy import Actor
from inspections.models import Answer, BackTest, BackTestFinding, ChecklistVersion, Inspection
from inspections.queries.facts import COUNTING
from inspections.rules.catalogue import Catalogue, Item, Text
from inspections.rules.evaluation import GivenAnswer, Structure, severity_of
from inspections.services import checklists, drafts
from towers.models import Tower

JOB = "checklists.back_test"
# So many answers are judged while somebody waits for the page.
AT_ONCE = 5_000
BATCH = 1_000

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """The answers under one former version that a draft may judge otherwise."""

    version: ChecklistVersion
    keys: frozenset[str]


def judging(item: Item) -> Item:
    """What of an item decides the severity of an answer, without texts and sources."""
    nothing = Text("", "")
    return replace(
        item,
        group="",
        label=nothing,
        answer=replace(item.answer, unit=nothing, prompt=None, decimals=0),
        how="ground",
        photo=None,
        basis="",
        source="",
        legal_basis=None,
        note="",
        asked_when=None,
    )


def judged_otherwise(before: Catalogue, after: Catalogue) -> frozenset[str]:
    """The items of the former catalogue that are gone or judge in another way."""
    now = {item.key: judging(item) for item in after.items}
    return frozenset(item.key for item in before.items if now.get(item.key) != judging(item))


def start(
    session: Session, draft: ChecklistVersion, *, by: Actor, now: datetime
) -> tuple[BackTest, bool]:
    """Begin the back-test of a draft as it is; returns it and whether it is done already.

    A wide one becomes a job. Raises `Conflict` while one is on its way.
    """
    drafts.require_editor(by)
    test = session.get(BackTest, draft.id, populate_existing=True)
    if test is None:
        test = BackTest(checklist_version_id=draft.id)
    drafts.require_no_test(session, draft)
    test.revision, test.started_at, test.finished_at = draft.revision, now, None
    test.actor, test.job_id = by.email, None
    session.add(test)
    session.flush()
    if number_of_answers(session, asked(session, draft)) > AT_ONCE:
        test.job_id = jobs.enqueue(session, JOB, version=draft.id)
        session.flush()
        return test, False
    run(session, test, draft, now=now)
    return test, True


def asked(session: Session, draft: ChecklistVersion) -> list[Asked]:
    """Of each version that judged something, the items that the draft judges otherwise."""
    after = checklists.catalogue_of(session, draft)
    versions = session.scalars(
        select(ChecklistVersion)
        .where(ChecklistVersion.status != "draft", ChecklistVersion.catalogue == draft.catalogue)
        .order_by(ChecklistVersion.id)
    )
    found = [
        Asked(version, judged_otherwise(checklists.catalogue_of(session, version), after))
        for version in versions
    ]
    return [one for one in found if one.keys]


def _answers(one: Asked, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(Answer)
        .join(Inspection, Inspection.id == Answer.inspection_id)
        .where(
            Inspection.checklist_version_id == one.version.id,
            Inspection.status.in_(COUNTING),
            Answer.item_key.in_(one.keys),
            Answer.outcome == "ok",
        )
    )


def number_of_answers(session: Session, wanted: list[Asked]) -> int:
    return sum(session.scalar(_answers(one, func.count())) or 0 for one in wanted)


def run(
    session: Session,
    test: BackTest,
    draft: ChecklistVersion,
    *,
    now: datetime,
    tell: Tell = lambda done, total: None,
) -> None:
    """Judge the past anew by a draft and keep what comes out otherwise; `tell` may stop it."""
    catalogue = checklists.catalogue_of(session, draft)
    items = {item.key: item for item in catalogue.items}
    wanted = asked(session, draft)
    total = number_of_answers(session, wanted)
    session.execute(delete(BackTestFinding).where(BackTestFinding.checklist_version_id == draft.id))
    test.answers = test.unjudged = 0
    for one in wanted:
        for batch in _batches(session, one):
            found = []
            for row in batch:
                after, could = _anew(items.get(row.item_key), row, catalogue)
                test.unjudged += not could
                if could and after != row.severity:
                    found.append(
                        {
                            "checklist_version_id": draft.id,
                            "inspection_id": row.inspection_id,
                            "item_key": row.item_key,
                            "before": row.severity,
                            "after": after,
                        }
                    )
            if found:
                session.execute(insert(BackTestFinding), found)
            test.answers += len(batch)
            tell(test.answers, total)
    test.inspections = (
        session.scalar(
            select(func.count())
            .select_from(Inspection)
            .join(ChecklistVersion, ChecklistVersion.id == Inspection.checklist_version_id)
            .where(Inspection.status.in_(COUNTING), ChecklistVersion.catalogue == draft.catalogue)
        )
        or 0
    )
    test.revision, test.finished_at = draft.revision, now
    session.flush()


def _batches(session: Session, one: Asked) -> Iterator[list[Any]]:
    statement = _answers(
        one,
        Answer.inspection_id,
        Answer.item_key,
        Answer.given,
        Answer.severity,
        Inspection.structure_type,
        Inspection.height_m,
        Inspection.overall_height_m,
        Tower.services,
    ).join(Tower, Tower.id == Inspection.tower_id)
    rows = session.execute(statement, execution_options={"yield_per": BATCH})
    for batch in rows.partitions():
        yield list(batch)


def _anew(item: Item | None, row: Any, catalogue: Catalogue) -> tuple[str | None, bool]:
    if item is None:
        return None, True
    structure = Structure(
        row.structure_type, frozenset(row.services), row.height_m, row.overall_height_m
    )
    return severity_of(item, structure, GivenAnswer.from_json(row.given), catalogue.severities)


def of_job(session: Session, version_id: int, job_id: int) -> BackTest | None:
    """The test that a job should work on, `None` where another took its place."""
    test = session.get(BackTest, version_id, with_for_update=True)
    if test is None or test.job_id != job_id or test.finished_at is not None:
        return None
    return test
