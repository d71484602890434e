"""A file is what its name says, or it is not taken."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from core.errors import UnsupportedMedia
from core.file_types import TYPES, file_type
from tests import doors

OFFICE = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml"}


def office(ending: str, *more: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for name in ("[Content_Types].xml", OFFICE[ending], *more):
            parts.writestr(name, "<xml/>")
    return out.getvalue()


DXF = b"999\r\nmade by hand\r\n  0\r\nSECTION\r\n  2\r\nHEADER\r\n"
GOOD = {
    "pdf": doors.PDF,
    "jpg": doors.picture(),
    "jpeg": doors.picture(),
    "png": doors.picture(kind="PNG"),
    "webp": doors.picture(kind="WEBP"),
    "docx": office("docx"),
    "xlsx": office("xlsx"),
    "dwg": b"AC1032" + b"\x00" * 100,
    "dxf": DXF,
}


def put(folder: Path, content: bytes) -> Path:
    path = folder / "sent"
    path.write_bytes(content)
    return path


def test_every_type_has_a_good_file() -> None:
    assert set(GOOD) == set(TYPES)


@pytest.mark.parametrize("ending", sorted(TYPES))
def test_a_file_is_taken_under_its_own_ending_alone(tmp_path: Path, ending: str) -> None:
    path = put(tmp_path, GOOD[ending])
    assert file_type(f"hồ sơ.{ending.upper()}", path) is TYPES[ending]
    for other in TYPES:
        if TYPES[other] is not TYPES[ending]:
            with pytest.raises(UnsupportedMedia):
                file_type(f"x.{other}", path)


@pytest.mark.parametrize(
    "name", ["", "x", "x.", "pdf", "x.exe", "x.pdf.exe", "x.html", "x.svg", "x.docm", "x.zip"]
)
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedMedia):
        file_type(name, put(tmp_path, doors.PDF))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.pdf", b"x" * 1025 + b"%PDF-1.7"),
        ("x.pdf", b"<html><script>alert(1)</script>"),
        ("x.docx", office("xlsx")),
        ("x.docx", office("docx", "word/vbaProject.bin")),
        ("x.xlsx", office("xlsx", "xl/VBAPROJECT.BIN")),
        ("x.docx", office("docx")[:-10]),
        ("x.docx", b"PK\x03\x04 not a zip"),
        ("x.docx", b"MZ" + office("docx")),
        # A directory that is said to be larger than any document's.
        ("x.docx", office("docx")[:-12] + b"\xff\xff\xff\x7f" + office("docx")[-8:]),
        ("x.dxf", b"  0\r\nENDSEC\r\n"),
        ("x.dxf", b""),
        ("x.dwg", b"AC10"),
        ("x.webp", b"RIFF\x00\x00\x00\x00WAVE"),
    ],
)
def test_a_content_that_is_not_of_its_type_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    with pytest.raises(UnsupportedMedia):
        file_type(name, put(tmp_path, content))


def test_a_binary_drawing_is_taken(tmp_path: Path) -> None:
    path = put(tmp_path, b"AutoCAD Binary DXF\r\n\x1a\x00" + b"\x00" * 20)
    assert file_type("x.dxf", path) is TYPES["dxf"]
