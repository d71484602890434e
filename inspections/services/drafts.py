"""A draft of the checklist: copied from the version that judges, edited, published or discarded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from core import audit, jobs, policy
from core.errors import Conflict, Invalid, NotFound
from core.i18n import N_
from core.policy import Actor
from inspections.models import BackTest, ChecklistVersion
from inspections.rules.catalogue import KEY
from inspections.rules.documents import Differences, differences, normal
from inspections.services import checklists


def require_editor(by: Actor) -> None:
    """Raise unless the actor may change what the whole province is inspected by."""
    policy.require(by, "checklist.edit")


def begin(
    session: Session, based_on: int, *, by: Actor, now: datetime
) -> tuple[ChecklistVersion, bool]:
    """The draft, made as a copy of the version that judges; returns it and whether it is new.

    There is one draft at a time: asked again, it is the answer again. Raises `Conflict` when
    another version judges than the one that the reader saw.
    """
    require_editor(by)
    published = checklists.current(session)
    # Two people who begin at once wait for each other here.
    session.refresh(published, with_for_update=True)
    if published.version != based_on or published.status != "published":
        raise Conflict(
            N_("Another version was published in the meantime: look at it first"),
            published=checklists.current(session).version,
        )
    known = session.scalar(
        select(ChecklistVersion).where(
            ChecklistVersion.catalogue == published.catalogue, ChecklistVersion.status == "draft"
        )
    )
    if known is not None:
        return known, False
    number = (session.scalar(select(func.max(ChecklistVersion.version))) or 0) + 1
    made = ChecklistVersion(
        catalogue=published.catalogue,
        version=number,
        status="draft",
        content={**published.content, "version": number},
        based_on=published.version,
        changed_at=now,
        changed_by=by.email,
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        "checklist.draft",
        "checklist_version",
        made.id,
        by=by,
        now=now,
        after={"version": number, "based_on": published.version},
    )
    return made, True


def held(session: Session, number: int) -> ChecklistVersion:
    """The draft with a number, held until the transaction ends.

    Raises `NotFound`, and `Conflict` for a version that was published.
    """
    found = session.scalar(
        select(ChecklistVersion)
        .where(ChecklistVersion.version == number)
        .options(undefer(ChecklistVersion.content))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(N_("There is no version %(version)s of the checklist"), version=number)
    if found.status != "draft":
        raise Conflict(
            N_("Version %(version)s was published and is never edited: begin a draft"),
            version=number,
        )
    return found


def replace(
    session: Session,
    draft: ChecklistVersion,
    document: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
) -> Differences:
    """Give a draft another content; returns what that changes, and changes nothing for the same.

    The draft keeps its number and its catalogue's name, whatever the document says. Raises
    `Invalid` with what is wrong with each item.
    """
    require_editor(by)
    own = {**document, "catalogue": draft.catalogue, "version": draft.version}
    checklists.read(own)
    changed = differences(draft.content, own)
    if not changed:
        return changed
    draft.content = normal(own)
    draft.revision += 1
    draft.changed_at, draft.changed_by = now, by.email
    session.flush()
    session.refresh(draft, ["digest"])
    audit.record(
        session,
        "checklist.change",
        "checklist_version",
        draft.id,
        by=by,
        now=now,
        after={
            "version": draft.version,
            "items": [
                {"key": one.key, "kind": one.kind, "fields": [asdict(each) for each in one.fields]}
                for one in changed.items
            ],
            "reordered": changed.reordered,
            "beside": [one.field for one in changed.beside],
        },
    )
    return changed


def put_item(
    session: Session,
    draft: ChecklistVersion,
    key: str,
    item: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
) -> bool:
    """Put an item into a draft under its code; returns whether it is new.

    A new one stands behind those of its group. The code of an item never changes: the answers of
    the past name it.
    """
    if not KEY.match(key):
        message = N_("The code of an item begins with a letter and has letters, digits and _ only")
        raise Invalid(message, fields={"key": [message]})
    items = [dict(one) for one in draft.content["items"]]
    made = {**item, "key": key}
    place = next((place for place, one in enumerate(items) if one["key"] == key), None)
    if place is not None:
        items[place] = made
    else:
        group = item.get("group")
        last = max(
            (place for place, one in enumerate(items) if one["group"] == group),
            default=len(items) - 1,
        )
        items.insert(last + 1, made)
    replace(session, draft, {**draft.content, "items": items}, by=by, now=now)
    return place is None


def remove_item(
    session: Session, draft: ChecklistVersion, key: str, *, by: Actor, now: datetime
) -> None:
    """Take an item out of a draft; raises `NotFound`. What was answered to it stays."""
    items = [one for one in draft.content["items"] if one["key"] != key]
    if len(items) == len(draft.content["items"]):
        raise NotFound(N_("The checklist has no item %(key)s"), key=key)
    replace(session, draft, {**draft.content, "items": items}, by=by, now=now)


def is_tested_now(session: Session, version_id: int) -> bool:
    """Whether a job works on a back-test; one that failed can be begun again."""
    test = session.get(BackTest, version_id)
    if test is None or test.finished_at is not None or test.job_id is None:
        return False
    progress = jobs.progress(session, test.job_id)
    return progress is not None and not progress.ended


def require_no_test(session: Session, draft: ChecklistVersion) -> None:
    if is_tested_now(session, draft.id):
        raise Conflict(N_("A back-test of this draft is on its way"))


def discard(session: Session, draft: ChecklistVersion, *, by: Actor, now: datetime) -> None:
    """Throw a draft away; raises `Conflict` while it is back-tested."""
    require_editor(by)
    require_no_test(session, draft)
    audit.record(
        session,
        "checklist.discard",
        "checklist_version",
        draft.id,
        by=by,
        now=now,
        before={"version": draft.version, "content": draft.content},
    )
    session.delete(draft)
    session.flush()


def publish(
    session: Session, draft: ChecklistVersion, *, by: Actor, now: datetime
) -> ChecklistVersion:
    """Let a draft judge from now on; the version before retires and keeps what it judged.

    An inspection that was begun under the former version goes on with it. Raises `Conflict` for
    a draft that changes nothing, that was copied from a version which no longer judges, or whose
    present state was not back-tested.
    """
    require_editor(by)
    policy.require(by, "checklist.publish")
    published = checklists.current(session)
    if draft.based_on != published.version:
        raise Conflict(
            N_("Another version was published in the meantime: look at it first"),
            published=published.version,
        )
    if not differences(published.content, draft.content):
        raise Conflict(N_("The draft says the same as the published version"))
    tested = session.get(BackTest, draft.id, populate_existing=True)
    if tested is None or tested.finished_at is None or tested.revision != draft.revision:
        raise Conflict(N_("Back-test the draft as it is now before you publish it"))
    checklists.retire(session, draft.catalogue)
    draft.status, draft.published_at = "published", now
    session.flush()
    checklists.tell_published(session, draft, by=by, now=now)
    return draft
