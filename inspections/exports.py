"""The follow-up list for other programs: exactly the rows of the page, in texts for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, Text, case, cast, func, literal, select
from sqlalchemy.dialects import postgresql

from core.i18n import N_, translate
from core.policy import Actor
from core.tables import Column, Kind, Table
from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.texts import ItemTexts

VOCABULARIES = ("condition", "severity", "structure_type", "violation_stage")
COLUMNS = (
    Column("code", N_("Tower code")),
    Column("name", N_("Tower name"), width=32),
    Column("condition", N_("Condition"), width=18),
    Column("task", N_("What must be fixed"), width=48),
    Column("severity", N_("Severity"), width=14),
    Column("stage", N_("State"), width=18),
    Column("found_on", N_("Found on"), Kind.DAY, 12),
    Column("deadline", N_("Deadline"), Kind.DAY, 12),
    Column("days_overdue", N_("Days overdue"), Kind.WHOLE, 10),
    Column("legal_basis", N_("Legal basis"), width=34),
    Column("owner", N_("Owner"), width=30),
    Column("commune", N_("Commune"), width=22),
    Column("assignee", N_("Inspector"), width=24),
    Column("visitors", N_("Has the tower to inspect"), width=24),
    Column("structure_type", N_("Structure type"), width=26),
    Column("latitude", N_("Latitude"), Kind.COORDINATE, 12, digits=6),
    Column("longitude", N_("Longitude"), Kind.COORDINATE, 12, digits=6),
    Column("id", N_("Row"), width=38),
)


# What a reader fills in and sends back: see `inspections.services.returned`.
FILLED_IN = (
    Column(
        "done",
        N_("Done (x)"),
        width=14,
        meaning=N_("To be filled in: write x where the owner has fixed it. Read back as a claim."),
    ),
    Column("done_on", N_("Done on"), width=14, meaning=N_("To be filled in: 31/12/2026")),
    Column("remark", N_("Remark"), width=40, meaning=N_("To be filled in: what was done")),
)
# Paper has room for these.
PRINTED = (
    "code", "name", "task", "severity", "stage", "found_on", "deadline", "days_overdue", "owner",
    "commune", "assignee",
)  # fmt: skip


class Use(StrEnum):
    """What a list is for: programs, to be filled in and returned, or paper."""

    DATA = "data"
    FILLING = "filling"
    PAPER = "paper"


USES = {"xlsx": Use.FILLING, "pdf": Use.PAPER}


def table(
    actor: Actor,
    filters: WorkFilters,
    *,
    today: date,
    labels: Mapping[str, Mapping[str, str]],
    items: ItemTexts,
    use: Use = Use.DATA,
) -> Table:
    """The follow-up list with texts in place of keys, all pages; takes what `statement` takes."""
    columns: tuple[Column, ...] = COLUMNS
    if use is Use.FILLING:
        columns = (*COLUMNS, *FILLED_IN)
    elif use is Use.PAPER:
        columns = tuple(one for one in COLUMNS if one.name in PRINTED)
    listed = statement(actor, filters, today=today, labels=labels, items=items)
    if use is Use.FILLING:
        listed = listed.add_columns(*(literal("").label(one.name) for one in FILLED_IN))
    return Table(
        name="follow_up",
        title=translate(N_("Follow-up")),
        columns=tuple(
            replace(one, label=translate(one.label), meaning=translate(one.meaning))
            for one in columns
        ),
        statement=listed,
    )


def statement(
    actor: Actor,
    filters: WorkFilters,
    *,
    today: date,
    labels: Mapping[str, Mapping[str, str]],
    items: ItemTexts,
) -> Select[Any]:
    """The list with its texts in place of keys, made by the database.

    `labels` holds for each of `VOCABULARIES` the text of each value, `items` those of the
    checklist, all in the reader's language.
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
            else_=func.concat_ws(
                ": ",
                _item_text(rows.c.checklist_version_id, rows.c.item_key, items),
                func.nullif(rows.c.detail, ""),
            ),
        ).label("task"),
        text(rows.c.severity, labels["severity"]).label("severity"),
        text(rows.c.stage, labels["violation_stage"]).label("stage"),
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
        rows.c.assignee,
        func.array_to_string(rows.c.visitors, ", ").label("visitors"),
        text(rows.c.structure_type, labels["structure_type"]).label("structure_type"),
        rows.c.latitude,
        rows.c.longitude,
        cast(rows.c.id, Text).label("id"),
    ).order_by(rows.c.urgency, rows.c.deadline, rows.c.id)


def _item_text(version: Any, key: Any, items: ItemTexts) -> Any:
    """The text that an item had in the version which judged, by a look-up in one JSON literal."""
    table = cast(literal(json.dumps(items.by_place(), ensure_ascii=False)), postgresql.JSONB)
    return func.coalesce(table[func.concat(version, "/", key)].astext, key)
