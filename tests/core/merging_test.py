"""Whatever refers to a thing that can be merged follows it: nobody can forget a table."""

from __future__ import annotations

from flask import Flask

from core import merging
from core.model import Base

# Parts of the thing itself, which come and go with it.
PARTS = {("organisation_contact", "organisation_id")}


def references(table: str) -> set[tuple[str, str]]:
    """The columns of all tables that refer to a table by its id."""
    return {
        (other.name, key.parent.name)
        for other in Base.metadata.tables.values()
        for key in other.foreign_keys
        if key.column.table.name == table
    }


def followed(kind: str) -> set[tuple[str, str]]:
    return {(one.column.class_.__tablename__, one.column.key) for one in merging.followers(kind)}


def test_everything_that_refers_to_a_tower_follows_it(app: Flask) -> None:
    assert followed("tower") == references("tower")
    assert len(followed("tower")) >= 9


def test_everything_that_refers_to_an_organisation_follows_it(app: Flask) -> None:
    assert followed("organisation") == references("organisation") - PARTS
    assert len(followed("organisation")) >= 5
