"""The follow-up list for other programs: exactly the rows of the page, in texts for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Select, case, cast, func, literal, select
from sqlalchemy.dialects import postgresql

from core.i18n import N_, translate
from core.policy import Actor
from core.tables import Column, Kind, Table
from inspections.queries import follow_up
from inspections.texts import ItemTexts
from towers.queries import Filters

COLUMNS = (
    Column("code", N_("Tower code")),
    Column("name", N_("Tower name"), width=32),
    Column("condition", N_("Condition"), width=18),
    Column("task", N_("What must be fixed"), width=48),
    Column("severity", N_("Severity"), width=14),
    Column("found_on", N_("Found on"), Kind.DAY, 12),
    Column("deadline", N_("Deadline"), Kind.DAY, 12),
    Column("days_overdue", N_("Days overdue"), Kind.WHOLE, 10),
    Column("legal_basis", N_("Legal basis"), width=34),
    Column("owner", N_("Owner"), width=30),
    Column("commune", N_("Commune"), width=22),
    Column("structure_type", N_("Structure type"), width=26),
    Column("latitude", N_("Latitude"), Kind.COORDINATE, 12, digits=6),
    Column("longitude", N_("Longitude"), Kind.COORDINATE, 12, digits=6),
)


def table(
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    labels: Mapping[str, Mapping[str, str]],
    items: ItemTexts,
) -> Table:
    """The follow-up list with texts in place of keys, all pages; takes what `statement` takes."""
    return Table(
        name="follow_up",
        title=translate(N_("Follow-up")),
        columns=tuple(replace(one, label=translate(one.label)) for one in COLUMNS),
        statement=statement(actor, filters, today=today, labels=labels, items=items),
    )


def statement(
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    labels: Mapping[str, Mapping[str, str]],
    items: ItemTexts,
) -> Select[Any]:
    """The list with its texts in place of keys, made by the database.

    `labels` holds for `condition`, `severity` and `structure_type` the text of each value,
    `items` those of the checklist, all in the reader's language.
    """
    rows = follow_up.rows(actor, filters, today=today).subquery("rows")

    def text(column: Any, texts: Mapping[str, str]) -> Any:
        whens = ((column == key, literal(value)) for key, value in texts.items())
        return case(*whens, else_=column)

    basis = func.concat_ws(
        ", ",
        rows.c.legal_basis["document"].astext,
        rows.c.legal_basis["article"].astext,
    )
    recommendation = literal(translate(N_("Technical recommendation")))
    return select(
        rows.c.code,
        rows.c.name,
        text(rows.c.condition, labels["condition"]).label("condition"),
        case(
            (rows.c.item_key.is_(None), literal(translate(N_("Load-safety assessment")))),
            else_=_item_text(rows.c.checklist_version_id, rows.c.item_key, items),
        ).label("task"),
        text(rows.c.severity, labels["severity"]).label("severity"),
        rows.c.found_on,
        rows.c.deadline,
        rows.c.days_overdue,
        case(
            (rows.c.item_key.is_(None), literal("")),
            (basis == "", recommendation),
            else_=basis,
        ).label("legal_basis"),
        rows.c.owner,
        rows.c.commune,
        text(rows.c.structure_type, labels["structure_type"]).label("structure_type"),
        rows.c.latitude,
        rows.c.longitude,
    ).order_by(rows.c.urgency, rows.c.deadline, rows.c.id)


def _item_text(version: Any, key: Any, items: ItemTexts) -> Any:
    """The text that an item had in the version which judged, by a look-up in one JSON literal."""
    table = cast(literal(json.dumps(items.by_place(), ensure_ascii=False)), postgresql.JSONB)
    return func.coalesce(table[func.concat(version, "/", key)].astext, key)
