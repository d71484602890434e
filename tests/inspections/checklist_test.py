"""Versions of the catalogue: published once, never edited, the last one judges."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from core.audit import AuditEntry
from core.errors import Conflict, Invalid, NotFound, Unavailable
from core.policy import SYSTEM
from inspections.models import ChecklistVersion
from inspections.services import checklists
from tests.makers import NOW


def publish(session, **changes):
    return checklists.publish(
        session, {**checklists.shipped_document(), **changes}, by=SYSTEM, now=NOW
    )


def test_before_any_version_nothing_can_be_judged(session) -> None:
    with pytest.raises(Unavailable):
        checklists.current(session)


def test_the_shipped_catalogue_is_version_one(session) -> None:
    made = publish(session)
    assert (made.version, made.status) == (1, "published")
    assert checklists.current(session).id == made.id
    assert len(checklists.catalogue_of(session, made).items) == 52


def test_the_same_version_again_changes_nothing(session) -> None:
    assert publish(session).id == publish(session).id
    assert session.scalar(select(func.count()).select_from(ChecklistVersion)) == 1
    assert session.scalar(select(func.count()).where(AuditEntry.action == "checklist.publish")) == 1


def test_a_version_is_never_edited(session) -> None:
    publish(session)
    with pytest.raises(Conflict):
        publish(session, note="another text")


def test_a_new_version_retires_the_one_before(session) -> None:
    first, second = publish(session), publish(session, version=2)
    session.expire_all()
    assert (first.status, second.status) == ("retired", "published")
    assert checklists.current(session).id == second.id
    assert checklists.by_number(session, 1).id == first.id


def test_a_broken_catalogue_is_refused_and_the_one_before_stays(session) -> None:
    first = publish(session)
    with pytest.raises(Invalid):
        publish(session, version=2, items=[])
    with pytest.raises(Invalid):
        publish(session, version="two")
    assert checklists.current(session).id == first.id


def test_an_unknown_number_is_not_found(session) -> None:
    with pytest.raises(NotFound):
        checklists.by_number(session, 7)
