"""The command that imports a list: says what it did, and why it did not."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.towers.imported import kept
from towers.models import Tower

HEAD = "code,name,structure_type,height_m,latitude,longitude,owner\n"
GOOD = HEAD + "A-1,Một,monopole,30,10.5,105.5,Viettel\nA-2,Hai,guyed_mast,42.5,10.6,105.6,\n"
BAD = GOOD + "A-3,Ba,ladder,30,10.5,105.7,\n"


def run(app: Flask, *arguments: str):
    return app.test_cli_runner().invoke(args=["towers", "import", *arguments])


def test_a_list_is_imported_and_again_changes_nothing(
    app: Flask, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "danh-sach.csv"
    file.write_text(GOOD, encoding="utf-8")
    first = run(app, str(file))
    assert first.exit_code == 0, first.output
    assert "2 rows: 2 new, 0 changed, 0 unchanged, 0 wrong" in first.output
    before = kept(session)
    assert "2 rows: 0 new, 0 changed, 2 unchanged, 0 wrong" in run(app, str(file)).output
    assert kept(session) == before


def test_a_wrong_row_is_named_and_nothing_written(
    app: Flask, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "danh-sach.csv"
    file.write_text(BAD, encoding="utf-8")
    before = kept(session)
    result = run(app, str(file))
    assert result.exit_code == 1
    assert "row 4, structure_type: 'ladder'" in result.output
    assert kept(session) == before
    result = run(app, str(file), "--dry-run", "--good-rows")
    assert result.exit_code == 0
    assert kept(session) == before
    result = run(app, str(file), "--good-rows")
    assert result.exit_code == 0
    assert "2 new" in result.output
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}


def test_a_list_from_elsewhere_says_which_setting_is_meant(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "towers.csv"
    rows = [f"US-{number},Tower,,,45.{number},-93.2,\n" for number in range(30)]
    file.write_text(HEAD + "".join(rows), encoding="utf-8")
    result = run(app, str(file))
    assert result.exit_code == 1
    assert "flask settings set envelope" in result.output
    assert "… and 10 more wrong rows: --report FILE names them all" in result.output
    assert sum(line.startswith("row ") for line in result.output.splitlines()) <= 40
    assert "The code is missing" not in result.output


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.csv", b""), ("x.xyz", b"a"), ("x.geojson", b"{"), ("x.csv", b"\x00"), ("x.csv", b"name")],
)
def test_a_file_that_is_no_list_is_a_sentence(
    app: Flask, session: Session, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    before = kept(session)
    result = run(app, str(tmp_path / name))
    assert result.exit_code == 1
    assert result.output.strip()
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert kept(session) == before


def test_a_file_that_is_not_there_is_a_usage_error(app: Flask) -> None:
    assert run(app, "/nowhere/x.csv").exit_code == 2
