"""Notices for tests: an owner with violations, drafted and issued by two people."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from accounts.models import Organisation
from core.files import FileStore
from core.policy import Actor
from inspections.models import Violation
from inspections.notice_models import Notice
from inspections.services import notices
from inspections.services.notice_documents import Press
from tests import makers
from tests.inspections.visits import (
    CRITICAL,
    MAJOR,
    NOW,
    TODAY,
    ZONE,
    inspected,
    published,
    violations,
)
from towers.models import Tower

ADDRESS = "https://thap.example.vn"


def press_in(folder: Path) -> Press:
    def kept(name: str) -> FileStore:
        return FileStore(folder / name, max_bytes=10_000_000, max_pixels=10_000_000)

    return Press(photos=kept("photos"), notices=kept("notices"), zone=ZONE, address=ADDRESS)


@dataclass
class Case:
    """An owner with a tower and its two open violations, and who deals with them."""

    owner: Organisation
    tower: Tower
    drafter: Actor
    issuer: Actor
    press: Press
    violations: dict[str, Violation]

    @property
    def numbers(self) -> tuple[uuid.UUID, ...]:
        return tuple(one.id for one in self.violations.values())


def case(session: Session, folder: Path, **tower: Any) -> Case:
    """A tower with a critical violation with a photo, and a major one."""
    published(session)
    inspector = makers.actor(session, "inspector")
    owner = makers.organisation(session, tower.pop("owner", None))
    made = makers.tower(session, owner=owner, **tower)
    press = press_in(folder)
    taken = {"folder": press.photos.folder, "photos": ("ant_mount",)}
    inspected(session, made, by=inspector, **taken, **CRITICAL, **MAJOR)
    return Case(
        owner=owner,
        tower=made,
        drafter=makers.actor(session, "staff"),
        issuer=makers.actor(session, "staff"),
        press=press,
        violations=violations(session, made),
    )


def case_beside(session: Session, first: Case) -> Case:
    """Another owner with a tower and violations alike, with the same people."""
    inspector = makers.actor(session, "inspector")
    owner = makers.organisation(session)
    made = makers.tower(session, owner=owner)
    inspected(session, made, by=inspector, **MAJOR)
    return replace(first, owner=owner, tower=made, violations=violations(session, made))


def drafted(session: Session, case: Case, **facts: Any) -> Notice:
    draft = notices.Draft(case.owner.id, facts.pop("violations", case.numbers), **facts)
    notice, _ = notices.draft_notice(session, uuid.uuid4(), draft, by=case.drafter, now=NOW)
    return notice


def issued(session: Session, case: Case, **facts: Any) -> tuple[Notice, str]:
    """An issued notice and the token of its link."""
    notice = drafted(session, case, **facts)
    link = notices.issue(session, notice, press=case.press, by=case.issuer, now=NOW, today=TODAY)
    return notice, link.rpartition("/")[2]
