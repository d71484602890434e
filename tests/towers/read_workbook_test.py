"""Reading XLSX: sheets, texts as people see them, titles, and workbooks made to do harm."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from core.errors import DomainError, Invalid, TooLarge
from tests.towers.lists import file_of, raw
from towers import readers
from towers.readers import workbooks

HEAD = ("code", "name", "latitude", "longitude")


def workbook(**sheets: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def read(content: bytes, **options):
    with raw("list.xlsx", content, **options) as listing:
        return listing.headers, list(listing.rows), listing.facts


def test_a_sheet_is_read_with_its_row_numbers() -> None:
    headers, rows, facts = read(
        workbook(Towers=[HEAD, ("A", "Trạm Cao Lãnh", 10.46, 105.63), (), ("B", None, 10, 105)])
    )
    assert headers == HEAD
    assert [(row.number, row.cells) for row in rows] == [
        (2, ["A", "Trạm Cao Lãnh", "10.46", "105.63"]),
        (4, ["B", "", "10", "105"]),
    ]
    assert (facts.format, facts.part, facts.header_row) == ("XLSX", "Towers", 1)


def test_cells_become_texts_as_people_see_them() -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("List")
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    moment = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
    zeros = book.add_format({"num_format": "00000"})
    sheet.write_row(0, 0, [f"c{number}" for number in range(12)])
    sheet.write_number(1, 0, 42.0)
    sheet.write_number(1, 1, 0.1 + 0.2)
    sheet.write_number(1, 2, 0.00001)
    sheet.write_number(1, 3, 123456789012)
    sheet.write_datetime(1, 4, datetime.datetime(2026, 2, 1), day)
    sheet.write_datetime(1, 5, datetime.datetime(2026, 2, 1, 7, 30), moment)
    sheet.write_number(1, 6, 123, zeros)
    sheet.write_boolean(1, 7, True)
    sheet.write_formula(1, 8, "=20+22", value=42)
    sheet.write_formula(1, 9, "=1/0", value="#DIV/0!")
    sheet.write_string(1, 10, "'=1+1")
    sheet.write_rich_string(1, 11, "Trạm ", book.add_format({"bold": True}), "Một")
    book.close()
    _, (row,), _ = read(out.getvalue())
    assert row.cells == [
        "42", "0.3", "0.00001", "123456789012", "01/02/2026", "01/02/2026 07:30", "00123", "TRUE",
        "42", "#DIV/0!", "=1+1", "Trạm Một",
    ]  # fmt: skip


def test_merged_titles_above_and_grouped_headers() -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet()
    sheet.merge_range("A1:E1", "UBND TỈNH ĐỒNG THÁP")
    sheet.merge_range("A2:E2", "DANH SÁCH CỘT ĂNG-TEN NĂM 2026")
    sheet.merge_range("A4:A5", "STT")
    sheet.merge_range("B4:B5", "Mã trạm")
    sheet.merge_range("C4:D4", "Tọa độ")
    sheet.merge_range("E4:E5", "Chiều cao (m)")
    sheet.write_row("C5", ["Vĩ độ", "Kinh độ"])
    sheet.write_row("A6", ["(1)", "(2)", "(3)", "(4)", "(5)"])
    sheet.write_row("A7", [1, "A", 10.5, 105.5, 42])
    book.close()
    headers, rows, facts = read(out.getvalue())
    assert headers == ("STT", "Mã trạm", "Tọa độ / Vĩ độ", "Tọa độ / Kinh độ", "Chiều cao (m)")
    assert [(row.number, row.cells) for row in rows] == [(7, ["1", "A", "10.5", "105.5", "42"])]
    assert facts.header_row == 4


def test_several_sheets_are_named_and_one_is_chosen() -> None:
    rows = [HEAD, ("A", "x", 10, 105)]
    content = workbook(North=rows, Empty=[], South=rows)
    with file_of(content) as path:
        assert readers.parts(path, "list.xlsx") == ("North", "South")
    with pytest.raises(workbooks.SeveralSheets) as caught:
        read(content)
    assert caught.value.names == ("North", "South")
    assert read(content, part="South")[2].part == "South"
    with pytest.raises(Invalid, match="no sheet"):
        read(content, part="Empty")
    assert read(workbook(Only=rows, Empty=[]))[2].part == "Only"


def test_a_sheet_of_explanations_beside_the_list_is_passed_over() -> None:
    about = [("About this list", ""), ("code", "as on the sign"), ("latitude", "degrees")]
    content = workbook(About=about, List=[("Title",), HEAD, ("A", "x", 10, 105)])
    assert read(content)[2].part == "List"


def test_a_hidden_sheet_is_not_offered() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(A=[HEAD], B=[HEAD])))
    book["B"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    with file_of(out.getvalue()) as path:
        assert readers.parts(path, "list.xlsx") == ("A",)


def test_an_empty_workbook_says_so() -> None:
    with pytest.raises(Invalid, match="no sheet with anything"):
        read(workbook(A=[], B=[]))


@pytest.mark.parametrize("names", [["Coät Taân Hoäi", "Coät Myõ Thoï"], ["Cét ¨ng ten", "Tr¹m"]])
def test_texts_for_an_old_font_are_warned_of(names: list[str]) -> None:
    def notes(names: list[str]) -> list[str]:
        rows = [(f"A{at}", name, 10, 105) for at, name in enumerate(names)]
        with raw("list.xlsx", workbook(A=[HEAD, *rows])) as listing:
            return [text for text, _ in listing.notes]

    (text,) = notes(names)
    assert "old Vietnamese font" in text
    # One sign may be meant, and names of today have some of the same letters.
    assert notes(["Viettel®", "Trạm ½", "Hoà Bình", "Quận Hoàn Kiếm", "Loïc"]) == []


# Made to do harm, or broken


def changed(content: bytes, member: str, change) -> bytes:
    """The workbook with one member changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, change(data) if name == member else data)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
GOOD = workbook(Towers=[HEAD, ("A", "Trạm", 10.46, 105.63)])


def entities(data: bytes) -> bytes:
    return b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + data


@pytest.mark.parametrize("member", [SHEET, "xl/workbook.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("letters", ["utf-8", "utf-16"])
def test_declarations_are_refused(member: str, letters: str) -> None:
    content = changed(GOOD, member, lambda data: entities(data).decode().encode(letters))
    with pytest.raises(Invalid, match="entities or a document type"):
        read(content)


def test_a_bomb_is_refused() -> None:
    content = changed(GOOD, SHEET, lambda data: data + b" " * 300_000_000)
    with pytest.raises(DomainError, match="far more than it can honestly hold"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04",
        b"code,name\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600,
        GOOD[: len(GOOD) // 2],
        changed(GOOD, "xl/workbook.xml", lambda data: b"<x/>"),
        changed(GOOD, "xl/workbook.xml", lambda data: data[:100]),
        changed(GOOD, SHEET, lambda data: data[:-30]),
        changed(GOOD, SHEET, lambda data: data.replace(b'r="A2"', b'r="2A"')),
    ],
    ids=range(8),
)
def test_a_damaged_workbook_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read(content)
    assert re.search("damaged|does not fit|no sheet", caught.value.message)


def test_a_cell_far_to_the_right_or_below_is_no_trap() -> None:
    far = workbook(A=[HEAD, ("A", "x", 10, 105)])
    wide = changed(far, SHEET, lambda data: data.replace(b'r="D2"', b'r="XFD2"'))
    with pytest.raises(Invalid, match="columns"):
        read(wide)
    low = changed(
        far, SHEET, lambda data: data.replace(b'<row r="2">', b'<row r="1048576">')
        .replace(b'2"', b'1048576"')
    )  # fmt: skip
    assert [row.number for row in read(low)[1]] == [1048576]
    lying = changed(
        far, SHEET, lambda data: data.replace(b'<dimension ref="A1:D2"', b'<dimension ref="A1:A1"')
    )
    assert read(lying)[1][0].cells == ["A", "x", "10", "105"]


def test_a_workbook_that_is_too_large_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_WORKBOOK_BYTES", 10)
    with pytest.raises(TooLarge):
        read(GOOD)
