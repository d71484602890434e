"""The grid of the tiles from afar: how many towers stand in which cell in which condition.

Triggers of the register append to `tower_change` in the transaction of the cause; the worker folds
these rows into the other tables (`maps.services.fold`), which nobody else writes. What counts is
the sum of all of them. A cell is a tile of its level: `x` to the east, `y` to the south.

The same rows, by the local day of their moment, go into `tower_turn`: all up to a day are how many
stood where at its end. `tower_past` has these sums for the last day of each month.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)

from core.model import Base
from inspections.rules.statistics import COMMUNE_FIGURES

# The finest level of the grid, of which `tower_change` and `tower_day` are.
FINEST = 14
# And the finest of the days that are over, of which `tower_turn` is.
PAST_FINEST = 12


def _facts() -> list[Column[Any]]:
    return [
        Column("x", Integer, nullable=False),
        Column("y", Integer, nullable=False),
        Column("commune_id", Integer),
        Column("lifecycle", Text, nullable=False),
        Column("condition", Text, nullable=False),
        Column("worst_severity", Text),
    ]


def _days() -> list[Column[Any]]:
    return [Column("ok_until", Date), Column("next_deadline", Date)]


def _sums() -> list[Column[Any]]:
    """How many, and the sum of their places in decimetres of EPSG:3857."""
    return [
        Column("number", Integer, nullable=False),
        Column("sum_x", BigInteger, nullable=False),
        Column("sum_y", BigInteger, nullable=False),
    ]


tower_change = Table(
    "tower_change",
    Base.metadata,
    *_facts(),
    *_days(),
    *_sums(),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    # What is folded leaves it, while its pages may stay in the table: both count by it.
    Index("ix_tower_change_place", "x", "y"),
)

tower_day = Table(
    "tower_day",
    Base.metadata,
    *_facts(),
    *_days(),
    *_sums(),
    Index(
        "uq_tower_day",
        "x", "y", "commune_id", "lifecycle", "condition", "worst_severity", "ok_until",
        "next_deadline",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_tower_day_ok_until", "ok_until"),
    Index("ix_tower_day_next_deadline", "next_deadline"),
    Index("ix_tower_day_empty", "x", postgresql_where=text("number = 0")),
)  # fmt: skip

tower_cell = Table(
    "tower_cell",
    Base.metadata,
    Column("level", SmallInteger, nullable=False),
    *_facts(),
    Column("overdue", Boolean, nullable=False),
    *_sums(),
    Index(
        "uq_tower_cell",
        "level", "x", "y", "commune_id", "lifecycle", "condition", "worst_severity", "overdue",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
)  # fmt: skip

# The cells of all communes together, without dismantled towers: what most readers look at first.
tower_overview = Table(
    "tower_overview",
    Base.metadata,
    Column("level", SmallInteger, nullable=False),
    Column("x", Integer, nullable=False),
    Column("y", Integer, nullable=False),
    Column("condition", Text, nullable=False),
    Column("worst_severity", Text),
    Column("overdue", Boolean, nullable=False),
    *_sums(),
    Index(
        "uq_tower_overview",
        "level", "x", "y", "condition", "worst_severity", "overdue",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
)  # fmt: skip

# The same of those with a deadline, by its day: what is due within some days.
tower_due = Table(
    "tower_due",
    Base.metadata,
    Column("level", SmallInteger, nullable=False),
    Column("next_deadline", Date, nullable=False),
    Column("x", Integer, nullable=False),
    Column("y", Integer, nullable=False),
    Column("condition", Text, nullable=False),
    Column("worst_severity", Text),
    # Only where it decides what the condition is.
    Column("ok_until", Date),
    *_sums(),
    Index(
        "uq_tower_due",
        "level", "next_deadline", "x", "y", "condition", "worst_severity", "ok_until",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
)  # fmt: skip

# What changed on a day, by the calendar too: on days to come what will if nobody writes.
tower_turn = Table(
    "tower_turn",
    Base.metadata,
    Column("day", Date, nullable=False),
    *_facts(),
    Column("overdue", Boolean, nullable=False),
    *_sums(),
    Index(
        "uq_tower_turn",
        "day", "x", "y", "commune_id", "lifecycle", "condition", "worst_severity", "overdue",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_tower_turn_empty", "day", postgresql_where=text("number = 0")),
)  # fmt: skip

tower_past = Table(
    "tower_past",
    Base.metadata,
    Column("day", Date, nullable=False),
    Column("level", SmallInteger, nullable=False),
    *_facts(),
    Column("overdue", Boolean, nullable=False),
    *_sums(),
    Index("ix_tower_past_day_level_x_y", "day", "level", "x", "y"),
)

# The day on which cells and overview count, and how many rows of `tower_change` were ever folded.
tower_fold = Table(
    "tower_fold",
    Base.metadata,
    Column("one", Boolean, CheckConstraint("one", name="one"), primary_key=True,
           server_default=text("true")),
    Column("day", Date, nullable=False),
    Column("folded", BigInteger, nullable=False),
)  # fmt: skip

# Beside the grid: what the statistics count of each commune on a day, of no commune where its
# number is missing. Triggers of the register, of violations and of inspections append to
# `commune_change` the communes of which that no longer counts; `maps.services.keep_figures` counts
# them again.
commune_change = Table("commune_change", Base.metadata, Column("commune_id", Integer))

commune_figure = Table(
    "commune_figure",
    Base.metadata,
    Column("commune_id", Integer),
    Column("day", Date, nullable=False),
    *(Column(name, Integer, nullable=False) for name in COMMUNE_FIGURES),
    Index("uq_commune_figure", "commune_id", unique=True, postgresql_nulls_not_distinct=True),
)
