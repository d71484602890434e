"""The base of every table: names of constraints follow one pattern, so migrations can name them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, DateTime, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Typed tables; every moment is stored with its zone, every text as `text`."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), str: Text()}


def one_of(name: str, words: type[StrEnum]) -> CheckConstraint:
    """The check that a column holds one of some words; its name is the column's."""
    values = ", ".join(f"'{one}'" for one in words)
    return CheckConstraint(f"{name} IN ({values})", name=name)
