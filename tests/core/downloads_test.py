"""Tables that leave: piece by piece, in constant memory, and no longer than somebody waits."""

from __future__ import annotations

import json
import socket
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from psycopg.errors import DivisionByZero
from sqlalchemy import Double, Integer, Text, cast, func, select, text
from sqlalchemy.orm import Session

from core import downloads, layers, tables, workbooks
from core.downloads import Gone, watch_reader
from core.errors import TooLarge
from core.tables import Column, Kind, Table


def numbers(rows: int) -> Table:
    """A table of so many rows that the database makes one by one."""
    number = select(func.generate_series(1, rows).label("number")).subquery().c.number
    return Table(
        "numbers",
        "Numbers",
        (Column("number", "Number", Kind.WHOLE), Column("word", "Word")),
        select(
            cast(number, Integer).label("number"),
            func.repeat(cast(number, Text), 20).label("word"),
            cast(105.5, Double).label("x"),
            cast(10.5, Double).label("y"),
        ),
        x="x",
        y="y",
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


WRITERS = {"xlsx": workbooks.xlsx, "gpkg": layers.geopackage, "kml": layers.kml}


@pytest.mark.parametrize("ending", ["csv", "geojson"])
def test_a_list_leaves_in_pieces_and_is_whole(session: Session, ending: str) -> None:
    table = numbers(20_000)
    if ending == "csv":
        pieces = list(tables.csv(session, table, excel=False))
        assert b"".join(pieces).count(b"\n") == 20_001
    else:
        pieces = list(tables.geojson(session, table))
        made = json.loads(b"".join(pieces))["features"]
        assert [one["properties"]["number"] for one in made] == list(range(1, 20_001))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 2 * tables.PIECE


@pytest.mark.parametrize("ending", ["csv", "geojson"])
def test_whoever_leaves_ends_the_query(session: Session, ending: str) -> None:
    """A list of a thousand million rows would take hours."""
    table = numbers(1_000_000_000)
    pieces = (
        tables.csv(session, table, excel=False)
        if ending == "csv"
        else tables.geojson(session, table)
    )
    driver = session.connection().connection.driver_connection
    assert driver is not None
    for _ in range(3):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    # The connection can be used again at once, and what ran was cancelled.
    session.rollback()
    assert session.scalar(text("SELECT 1")) == 1


def leaving_after(batches: int) -> Any:
    asked = iter(range(batches))

    def watch(rows: int) -> None:
        if next(asked, None) is None:
            raise Gone()

    return watch


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_is_not_written_on_for_nobody(session: Session, folder: Path, ending: str) -> None:
    with pytest.raises(Gone):
        WRITERS[ending](session, numbers(1_000_000_000), leaving_after(3))
    assert list(folder.iterdir()) == []
    # The connection can be used again at once, and what ran was cancelled.
    session.rollback()
    assert session.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_leaves_nothing_behind(session: Session, folder: Path, ending: str) -> None:
    with WRITERS[ending](session, numbers(5_000), tables.unwatched) as file:
        assert len(file.read()) > 50_000
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("ending", WRITERS)
def test_the_database_says_why_a_file_cannot_be_written(
    session: Session, folder: Path, ending: str
) -> None:
    table = numbers(10)
    broken = table.statement.where(text("1 / (number - 5) > -9"))
    with pytest.raises(DivisionByZero):
        WRITERS[ending](session, replace(table, statement=broken), tables.unwatched)
    session.rollback()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("ending", WRITERS)
def test_memory_does_not_grow_with_the_rows(session: Session, ending: str) -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        WRITERS[ending](session, numbers(rows), tables.unwatched).close()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(24_000) < 1.2 * peak(4_000)


def test_a_sheet_has_a_last_row(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_ROWS", 5_000)
    workbooks.xlsx(session, numbers(4_999)).close()
    with pytest.raises(TooLarge, match="room"):
        workbooks.xlsx(session, numbers(5_000))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_reader_who_left_is_noticed(
    app: Flask, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = ends
    with app.test_request_context(environ_overrides={"gunicorn.socket": ours}):
        watch_reader(1)
        theirs.send(b"GET /next HTTP/1.1")
        watch_reader(1)
        assert ours.recv(100) == b"GET /next HTTP/1.1"
        theirs.close()
        with pytest.raises(Gone):
            watch_reader(1)


def test_a_server_that_cannot_tell_waits(app: Flask) -> None:
    with app.test_request_context():
        watch_reader(1)


def test_kml_has_one_system(session: Session) -> None:
    with pytest.raises(ValueError, match="4326"):
        layers.kml(session, replace(numbers(1), crs="EPSG:5897"))


def test_every_form_can_be_written() -> None:
    assert set(downloads.FORMS) == {"csv", "geojson", *WRITERS}
    assert set(downloads.PRINTED_FORMS) == {*downloads.FORMS, "pdf"}
    assert set(downloads.FILES) == {*WRITERS, "pdf"}
