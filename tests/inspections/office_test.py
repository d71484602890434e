"""What leaves the house is opened by LibreOffice as its readers will open it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests import doors
from tests.conftest import Note
from tests.inspections.minutes_test import pages

pytestmark = pytest.mark.slow

FORMULA = '=HYPERLINK("http://evil.example";"x")'
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"


@pytest.fixture
def converted(tmp_path: Path) -> Callable[[bytes, str, str], Path]:
    """`converted(data, "xlsx", "fods")`: what LibreOffice makes of a file that it has opened."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed: apt-get install libreoffice-calc-nogui"
                    " libreoffice-writer-nogui")  # fmt: skip

    def convert(data: bytes, ending: str, target: str) -> Path:
        (tmp_path / f"file.{ending}").write_bytes(data)
        done = subprocess.run(
            [program, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
             "--convert-to", target, "--outdir", str(tmp_path), str(tmp_path / f"file.{ending}")],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        made = tmp_path / f"file.{target}"
        assert made.exists(), done.stderr
        return made

    return convert


def test_a_sheet_has_values_and_no_formula(
    app: Flask, session: Session, converted, figure: Note
) -> None:
    w = doors.world(app, session, names=FORMULA, owner_name=FORMULA)
    for path in ("/follow-up.xlsx", "/towers/export?format=xlsx", "/statistics.xlsx"):
        answer = w["staff"].get(path)
        assert answer.mimetype.endswith("spreadsheetml.sheet"), path
        root = ET.parse(converted(answer.data, "xlsx", "fods")).getroot()
        cells = [cell for cell in root.iter(f"{TABLE}table-cell") if "".join(cell.itertext())]
        formulas = [cell for cell in cells if f"{TABLE}formula" in cell.attrib]
        figure("P12", "cells opened by LibreOffice", len(cells))
        figure("P12", "cells that would run", len(formulas), wrong=True)
        assert formulas == [], path
        kinds = {cell.get(f"{OFFICE}value-type") for cell in cells}
        assert {"string", "float"} <= kinds, path
        texts = {"".join(cell.itertext()).strip() for cell in cells}
        if path != "/statistics.xlsx":
            assert w.here.tower.code in texts
            assert any(FORMULA in one for one in texts), path


@pytest.mark.parametrize("rule", ["/inspections/{inspection}/record.docx",
                                  "/notices/{notice}/document.docx"])  # fmt: skip
def test_a_letter_is_laid_out_whole(world: doors.World, converted, rule: str) -> None:
    path = rule.format(inspection=world.here.inspection, notice=world.here.notice)
    answer = world["staff"].get(path)
    assert answer.status_code == 200
    text = re.sub(r"\s+", " ", pages(converted(answer.data, "docx", "pdf").read_bytes()))
    assert world.here.tower.code in text
    assert "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM" in text
    assert "{{" not in text


def test_columns_are_as_wide_for_every_program(world: doors.World) -> None:
    """One program reads the widths of cells, another those of the grid."""
    for path in (f"/inspections/{world.here.inspection}/record.docx",
                 f"/notices/{world.here.notice}/document.docx"):  # fmt: skip
        document = docx.Document(io.BytesIO(world["staff"].get(path).data))
        laid_out = [one for one in document.tables if not one.autofit]
        assert laid_out, path
        for table in laid_out:
            cells = [cell.width for cell in table.rows[0].cells]
            assert [column.width for column in table.columns] == cells, path
            assert len(set(cells)) > 1
