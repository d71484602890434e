"""The audit as a list: who changed what and when, narrowed, page after page, and as a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.orm import Session

from core import paging, policy
from core.audit import AuditEntry
from core.i18n import translate
from core.paging import Page
from core.policy import Actor
from core.tables import Column, Kind, Table
from core.words import N_


@dataclass(frozen=True)
class Wanted:
    """Which entries: `who` is an address, `since` and `until` are local days, both included.

    `objects` are keys of things of a kind.
    """

    who: str = ""
    action: str = ""
    kind: str = ""
    objects: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


FILTERS = {
    "who": N_("Who"),
    "action": N_("What was done"),
    "kind": N_("Kind of thing"),
    "object": N_("Thing"),
    "since": N_("From day"),
    "until": N_("To day"),
}


def _statement(actor: Actor, wanted: Wanted, zone: ZoneInfo) -> Select[Any]:
    found = select(AuditEntry).where(policy.visible(actor, "audit"))
    if wanted.who:
        found = found.where(AuditEntry.actor == wanted.who)
    if wanted.action:
        found = found.where(AuditEntry.action == wanted.action)
    if wanted.kind:
        found = found.where(AuditEntry.kind == wanted.kind)
    if wanted.objects:
        found = found.where(AuditEntry.object_id.in_(wanted.objects))
    if wanted.since:
        found = found.where(AuditEntry.at >= datetime.combine(wanted.since, time(), zone))
    if wanted.until and wanted.until < date.max:
        end = datetime.combine(wanted.until + timedelta(days=1), time(), zone)
        found = found.where(AuditEntry.at < end)
    return found


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("not the number of an entry")
    return value


def listed(
    session: Session,
    actor: Actor,
    wanted: Wanted,
    *,
    zone: ZoneInfo,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[AuditEntry]:
    """One page of entries, the latest first."""
    limit = paging.clamp(limit)
    statement = paging.keyset(
        _statement(actor, wanted, zone), (AuditEntry.id,), (_number,), cursor, descending=True
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.id])


def table(actor: Actor, wanted: Wanted, zone: ZoneInfo) -> Table:
    """The same as a table for spreadsheets, from the first entry on; moments are local."""
    found = _statement(actor, wanted, zone)
    local = func.timezone(zone.key, AuditEntry.at)
    columns: dict[str, tuple[str, Any, Kind, int]] = {
        "id": (N_("Number"), AuditEntry.id, Kind.WHOLE, 10),
        "at": (N_("When"), func.to_char(local, "YYYY-MM-DD HH24:MI:SS"), Kind.TEXT, 20),
        "actor": (N_("Who"), AuditEntry.actor, Kind.TEXT, 30),
        "actor_id": (N_("Account"), AuditEntry.actor_id, Kind.TEXT, 36),
        "action": (N_("What was done"), AuditEntry.action, Kind.TEXT, 22),
        "kind": (N_("Kind of thing"), AuditEntry.kind, Kind.TEXT, 16),
        "object_id": (N_("Thing"), AuditEntry.object_id, Kind.TEXT, 36),
        "before": (N_("Before"), cast(AuditEntry.before, Text), Kind.TEXT, 50),
        "after": (N_("After"), cast(AuditEntry.after, Text), Kind.TEXT, 50),
        "address": (N_("From address"), AuditEntry.address, Kind.TEXT, 18),
        "via": (N_("By means of"), AuditEntry.via, Kind.TEXT, 44),
        "batch": (N_("Import"), cast(AuditEntry.batch, Text), Kind.TEXT, 36),
    }
    return Table(
        name="audit",
        title=translate(N_("Audit")),
        columns=tuple(
            Column(name, translate(label), kind, width)
            for name, (label, _, kind, width) in columns.items()
        ),
        statement=found.with_only_columns(
            *(column.label(name) for name, (_, column, _, _) in columns.items())
        ).order_by(AuditEntry.id),
    )
