"""What the doors of the audit share: what is asked for, and what things are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Flask, current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Organisation, User
from core.audit import AuditEntry
from core.audit_lists import Wanted
from core.db import current_session
from core.formats import label
from core.i18n import translate
from core.words import N_

# A value longer than this is shown by its beginning; exports have all of it.
LONGEST_SHOWN = 600


@dataclass(frozen=True)
class Naming:
    """How things of a kind are called: their names by key, and the keys of what has a name."""

    names: Callable[[Session, Sequence[str]], Mapping[str, str]]
    keys: Callable[[Session, str], Sequence[str]]


def by_column(key: Any, name: Any) -> Naming:
    """Things that are called by a text column of theirs."""

    def names(session: Session, keys: Sequence[str]) -> Mapping[str, str]:
        # A key that is none of this kind is nobody's.
        wanted = select(func.cast(key, AuditEntry.object_id.type), name).where(
            func.cast(key, AuditEntry.object_id.type).in_(keys)
        )
        return {one: text for one, text in session.execute(wanted)}

    def keys(session: Session, text: str) -> Sequence[str]:
        wanted = select(key).where(func.lower(name) == text.lower()).limit(100)
        return [str(one) for one in session.scalars(wanted)]

    return Naming(names, keys)


def init_app(app: Flask, namings: Mapping[str, Naming]) -> None:
    """Say how things are called, by their kind; people and organisations are known here."""
    own = {
        "user": by_column(User.id, User.email),
        "organisation": by_column(Organisation.id, Organisation.name),
    }
    app.extensions["audit_namings"] = {**own, **namings}


def _namings() -> Mapping[str, Naming]:
    found: Mapping[str, Naming] = current_app.extensions["audit_namings"]
    return found


def wanted_of(
    *, who: str, action: str, kind: str, thing: str, since: date | None, until: date | None
) -> Wanted:
    """What is asked for; a thing may be given by its key or by what it is called."""
    thing = thing.strip()
    objects: tuple[str, ...] = ()
    if thing:
        named = [
            key
            for of, naming in _namings().items()
            if kind in {"", of}
            for key in naming.keys(current_session(), thing)
        ]
        objects = (thing, *named)
    return Wanted(
        who=who.strip(), action=action, kind=kind, objects=objects, since=since, until=until
    )


def names_of(entries: Sequence[AuditEntry]) -> dict[tuple[str, str], str]:
    """What the things of some entries are called, where they still are."""
    found: dict[tuple[str, str], str] = {}
    for kind, naming in _namings().items():
        if keys := sorted({one.object_id for one in entries if one.kind == kind}):
            names = naming.names(current_session(), keys)
            found.update({(kind, key): name for key, name in names.items()})
    return found


def changes_of(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """What changed, before and after, in words."""
    before, after = entry.before or {}, entry.after or {}
    return [
        (
            _field(entry.kind, key),
            _value(entry.kind, key, before.get(key)),
            _value(entry.kind, key, after.get(key)),
        )
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]


def _field(kind: str, key: str) -> str:
    labels: Mapping[str, Mapping[str, str]] = current_app.extensions["labels"]
    for vocabulary in (f"{kind}_field", "audit_field"):
        if key in labels.get(vocabulary, {}):
            return label(key, vocabulary)
    return key


def _value(kind: str, key: str, value: Any) -> str:
    """A value in words; of one that is long its beginning."""
    text = _text(kind, key, value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _text(kind: str, key: str, value: Any) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return translate(N_("Yes") if value else N_("No"))
    if isinstance(value, list):
        return ", ".join(_text(kind, key, one) for one in value)
    if isinstance(value, dict):
        parts = [(_field(kind, name), _text(kind, name, one)) for name, one in value.items()]
        return "; ".join(f"{name}: {text}" for name, text in parts if text)
    labels: Mapping[str, Mapping[str, str]] = current_app.extensions["labels"]
    for vocabulary in (f"{kind}_{key}", {"roles": "role", "services": "service"}.get(key, key)):
        if str(value) in labels.get(vocabulary, {}):
            return label(value, vocabulary)
    return str(value)


def means_of(entry: AuditEntry) -> str:
    """By what means an entry was written, in words."""
    how, _, number = entry.via.partition(" ")
    return f"{label(how, 'audit_via')} {number}".strip() if how else ""


def action_of(entry: AuditEntry) -> str:
    """What was done, in words; steps of violations have theirs."""
    labels: Mapping[str, Mapping[str, str]] = current_app.extensions["labels"]
    kind, _, step = entry.action.partition(".")
    if kind == "violation" and entry.action not in labels["audit_action"]:
        return label(step, "violation_event")
    return label(entry.action, "audit_action")
