"""Which types of files are taken, and whether the content of one is what its name says."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from core.errors import UnsupportedMedia
from core.i18n import N_

HEAD = 4096
# A directory of a ZIP file is read whole, whatever it says: real documents have a few kilobytes.
MAX_DIRECTORY = 2_000_000
# The longest end of a ZIP file: its record of 22 bytes and a comment.
ZIP_END = 22 + 65_535
OFFICE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True)
class FileType:
    """A type that is taken. A picture is shown, everything else only handed out."""

    media_type: str
    fits: Callable[[bytes, Path], bool]
    picture: bool = False


def _begins(*signatures: bytes) -> Callable[[bytes, Path], bool]:
    return lambda head, path: head.startswith(signatures)


def _is_pdf(head: bytes, path: Path) -> bool:
    """Readers look for the signature in the first kilobyte, after what mail may put before it."""
    return b"%PDF-" in head[:1024]


def _is_webp(head: bytes, path: Path) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _office(document: str) -> Callable[[bytes, Path], bool]:
    def fits(head: bytes, path: Path) -> bool:
        """A ZIP file with the parts of such a document and without macros."""
        if not head.startswith(b"PK\x03\x04") or not _small_directory(path):
            return False
        try:
            with zipfile.ZipFile(path) as parts:
                names = set(parts.namelist())
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            return False
        macros = any(name.lower().endswith("vbaproject.bin") for name in names)
        return {"[Content_Types].xml", document} <= names and not macros

    return fits


def _small_directory(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - ZIP_END))
        end = file.read()
    place = end.rfind(b"PK\x05\x06")
    if place < 0 or len(end) < place + 22:
        return False
    entries, size = struct.unpack_from("<HI", end, place + 10)
    return entries < 0xFFFF and size <= MAX_DIRECTORY


def _is_dxf(head: bytes, path: Path) -> bool:
    """Pairs of lines, a group code and its value: comments (999), then the first section."""
    if head.startswith(b"AutoCAD Binary DXF\r\n\x1a\x00"):
        return True
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()]
    for code, value in zip(lines[::2], lines[1::2], strict=False):
        if code != b"999":
            return (code, value.upper()) == (b"0", b"SECTION")
    return False


def _is_dwg(head: bytes, path: Path) -> bool:
    return re.match(rb"AC10[0-9]{2}", head) is not None


JPEG = FileType("image/jpeg", _begins(b"\xff\xd8\xff"), picture=True)
TYPES = {
    "pdf": FileType("application/pdf", _is_pdf),
    "jpg": JPEG,
    "jpeg": JPEG,
    "png": FileType("image/png", _begins(b"\x89PNG\r\n\x1a\n"), picture=True),
    "webp": FileType("image/webp", _is_webp, picture=True),
    "docx": FileType(f"{OFFICE}.wordprocessingml.document", _office("word/document.xml")),
    "xlsx": FileType(f"{OFFICE}.spreadsheetml.sheet", _office("xl/workbook.xml")),
    "dwg": FileType("image/vnd.dwg", _is_dwg),
    "dxf": FileType("image/vnd.dxf", _is_dxf),
}

PICTURES = frozenset(one.media_type for one in TYPES.values() if one.picture)


def file_type(name: str, path: Path) -> FileType:
    """The type of a file by its name, when its content is of that type; else `UnsupportedMedia`."""
    ending = PurePath(name).suffix.removeprefix(".").lower()
    known = TYPES.get(ending)
    if known is None:
        raise UnsupportedMedia(
            N_("Files of this type are not taken: send %(endings)s"),
            endings=", ".join(one.upper() for one in TYPES if one != "jpeg"),
        )
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not known.fits(head, path):
        raise UnsupportedMedia(
            N_("The content of this file is not of the type .%(ending)s, or it has macros"),
            ending=ending,
        )
    return known
