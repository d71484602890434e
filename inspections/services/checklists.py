"""The versions of the catalogue: loaded as data, published once, never edited."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select, update
from sqlalchemy.orm import Session, undefer

from core import audit
from core.errors import Conflict, Invalid, NotFound, Unavailable
from core.i18n import N_
from core.policy import Actor
from inspections.models import ChecklistVersion
from inspections.rules.catalogue import Catalogue, CatalogueError

SHIPPED = Path(__file__).resolve().parent.parent / "data" / "checklist.yaml"


def shipped_document() -> dict[str, Any]:
    """The catalogue that comes with the project: its first version."""
    return yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))


def publish(
    session: Session, document: dict[str, Any], *, by: Actor, now: datetime
) -> ChecklistVersion:
    """Publish a version of the catalogue; the one before retires, the same changes nothing.

    Raises `Invalid` for a catalogue that breaks its own rules and `Conflict` for a version whose
    number is taken by another content.
    """
    try:
        catalogue = Catalogue.parse(document)
    except CatalogueError as error:
        raise Invalid(N_("The catalogue is not valid: %(reason)s"), reason=str(error)) from error
    known = session.scalar(
        select(ChecklistVersion)
        .where(
            ChecklistVersion.catalogue == catalogue.key,
            ChecklistVersion.version == catalogue.version,
        )
        .options(undefer(ChecklistVersion.content))
    )
    if known is not None:
        if known.content != document:
            raise Conflict(
                N_("Version %(version)s of the catalogue exists with another content"),
                version=catalogue.version,
            )
        return known
    session.execute(
        update(ChecklistVersion)
        .where(ChecklistVersion.catalogue == catalogue.key, ChecklistVersion.status == "published")
        .values(status="retired")
    )
    made = ChecklistVersion(
        catalogue=catalogue.key,
        version=catalogue.version,
        status="published",
        content=document,
        published_at=now,
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        "checklist.publish",
        "checklist_version",
        made.id,
        by=by,
        now=now,
        after={"catalogue": catalogue.key, "version": catalogue.version},
    )
    return made


def current(session: Session) -> ChecklistVersion:
    """The version that judges today; raises `Unavailable` before any was published."""
    found = session.scalar(
        select(ChecklistVersion)
        .where(ChecklistVersion.status == "published")
        .order_by(ChecklistVersion.version.desc())
        .limit(1)
    )
    if found is None:
        raise Unavailable(N_("No checklist is published yet: an administrator loads one first"))
    return found


def by_number(session: Session, number: int) -> ChecklistVersion:
    """The version with a number; raises `NotFound`."""
    found = session.scalar(select(ChecklistVersion).where(ChecklistVersion.version == number))
    if found is None:
        raise NotFound(N_("There is no version %(version)s of the checklist"), version=number)
    return found


def catalogue_of(session: Session, version: ChecklistVersion) -> Catalogue:
    """The parsed catalogue of a version, parsed once for each content."""
    return _parse(json.dumps(version.content, sort_keys=True))


@lru_cache(maxsize=16)
def _parse(text: str) -> Catalogue:
    return Catalogue.parse(json.loads(text))
