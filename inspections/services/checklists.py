"""The versions of the catalogue: which one judges, and the parsed content of each."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Container, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import yaml
from sqlalchemy import select, update
from sqlalchemy.orm import Session, undefer

from core import audit
from core.errors import Conflict, FieldText, Invalid, NotFound, Unavailable
from core.i18n import N_, translate
from core.policy import Actor
from inspections.models import ChecklistVersion
from inspections.rules import load_safety
from inspections.rules.catalogue import Catalogue, CatalogueError, Item
from inspections.rules.documents import ordered

DATA = Path(__file__).resolve().parent.parent / "data"
SHIPPED = DATA / "checklist.yaml"
# What load-safety assessments demand: it stands beside every version.
LOAD_SAFETY_ITEM = load_safety.item(
    yaml.safe_load((DATA / "load_safety.yaml").read_text(encoding="utf-8"))
)
# Versions are few, and the same ones are asked for all the time.
MOST_PARSED = 64


def shipped_document() -> dict[str, Any]:
    """The catalogue that comes with the project: its first version."""
    document: dict[str, Any] = orjson.loads(_shipped())
    return document


@functools.cache
def _shipped() -> bytes:
    # The reader written in C, where it is there, takes an eighth of the time; JSON next to none.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return orjson.dumps(yaml.load(SHIPPED.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506


def read(document: Mapping[str, Any]) -> Catalogue:
    """The catalogue in a document; raises `Invalid` that names each wrong item and why."""
    try:
        return Catalogue.parse(document)
    except CatalogueError as error:
        fields: dict[str, list[FieldText]] = {}
        for problem in error.problems:
            fields.setdefault(problem.where, []).append((problem.message, problem.facts))
        reason = "; ".join(
            f"{one.where}: {translate(one.message, **one.facts)}" for one in error.problems
        )
        raise Invalid(
            N_("The catalogue is not valid: %(reason)s"), fields=fields, reason=reason
        ) from error


def publish(
    session: Session, document: dict[str, Any], *, by: Actor, now: datetime
) -> ChecklistVersion:
    """Publish a whole catalogue; the one before retires, the same changes nothing.

    Raises `Invalid` for a catalogue that breaks its own rules and `Conflict` for a version whose
    number is taken by another content.
    """
    catalogue = read(document)
    known = session.scalar(
        select(ChecklistVersion)
        .where(
            ChecklistVersion.catalogue == catalogue.key,
            ChecklistVersion.version == catalogue.version,
        )
        .options(undefer(ChecklistVersion.content))
    )
    if known is not None:
        if known.content != document or known.status == "draft":
            raise Conflict(
                N_("Version %(version)s of the catalogue exists with another content"),
                version=catalogue.version,
            )
        return known
    retire(session, catalogue.key)
    made = ChecklistVersion(
        catalogue=catalogue.key,
        version=catalogue.version,
        status="published",
        content=document,
        published_at=now,
        changed_at=now,
        changed_by=by.email,
    )
    session.add(made)
    session.flush()
    tell_published(session, made, by=by, now=now)
    return made


def retire(session: Session, catalogue: str) -> None:
    """Retire the version that judges, so that another can take its place."""
    session.execute(
        update(ChecklistVersion)
        .where(ChecklistVersion.catalogue == catalogue, ChecklistVersion.status == "published")
        .values(status="retired")
    )


def tell_published(
    session: Session, version: ChecklistVersion, *, by: Actor, now: datetime
) -> None:
    audit.record(
        session,
        "checklist.publish",
        "checklist_version",
        version.id,
        by=by,
        now=now,
        after={"catalogue": version.catalogue, "version": version.version},
    )


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


def for_inspection(session: Session, number: int) -> ChecklistVersion:
    """The version that a device names: the one that judges, or a former one that it still had.

    Raises `NotFound`, and `Invalid` for a draft, which judges nothing yet.
    """
    found = by_number(session, number)
    if found.status == "draft":
        message = N_("Version %(version)s of the checklist is a draft: it judges nothing yet")
        raise Invalid(
            message, fields={"checklist_version": [(message, {"version": number})]}, version=number
        )
    return found


def catalogue_of(session: Session, version: ChecklistVersion) -> Catalogue:
    """The parsed catalogue of a version, parsed once for each content."""
    known = _parsed.get(version.digest)
    if known is None:
        known = _parsed[version.digest] = Catalogue.parse(ordered(version.content))
        while len(_parsed) > MOST_PARSED:
            _parsed.popitem(last=False)
    return known


def load_safety_document() -> dict[str, Any]:
    """The item beside every version, written as the items of a document are."""
    item = LOAD_SAFETY_ITEM
    prompt = item.answer.prompt
    return {
        "key": item.key,
        "group": item.group,
        "vi": item.label.vi,
        "en": item.label.en,
        "applies_to": sorted(item.applies_to),
        "answer": {
            "type": item.answer.type,
            "pass_value": item.answer.pass_value,
            **({"prompt": {"vi": prompt.vi, "en": prompt.en}} if prompt else {}),
        },
        "levels": [
            {"severity": level.severity, "op": level.op, "remedy_days": level.remedy_days}
            for level in item.levels
        ],
        "how": item.how,
        "photo": item.photo,
        "basis": item.basis,
        "source": item.source,
    }


def beside(asked: Container[str]) -> tuple[Item, ...]:
    """The items beside the checklist that a re-inspection of these violations is asked."""
    return (LOAD_SAFETY_ITEM,) if LOAD_SAFETY_ITEM.key in asked else ()


def item_of(session: Session, version: ChecklistVersion | None, key: str) -> Item | None:
    """An item as a version has it, or the one that stands beside all of them."""
    if key == LOAD_SAFETY_ITEM.key:
        return LOAD_SAFETY_ITEM
    return catalogue_of(session, version).item(key) if version is not None else None


_parsed: OrderedDict[str, Catalogue] = OrderedDict()
