"""Which letters the bytes of a text file mean.

UTF-8 and UTF-16 tell themselves. Of the rest, the Vietnamese Windows letters are tried before the
Western ones, which they contain as far as names in Western Europe go. Old Vietnamese fonts (TCVN3,
VNI) are recognised and refused: no library that is kept up converts them. A general detector
(charset-normalizer) took Western files for Central European and TCVN3 for Korean.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import Invalid
from core.words import N_
from towers.readers.listing import Note

CHUNK = 1 << 20
NO_TEXT = N_("This is not a text file")
UNKNOWN = N_("The encoding of the file is not known: save it as UTF-8")
# Letters of TCVN3 where other encodings have signs, inside of words or before the rest of one.
TCVN3 = re.compile(
    rb"(?<=[A-Za-z])[\xa8-\xad\xb5-\xb9\xbc-\xbe]|(?<=[A-Za-z])\xbb(?=[a-z])"
    rb"|(?<![A-Za-z])[\xa7\xae](?=[a-z\x80-\xff])|[\xa8-\xaa\xac\xad](?=[a-z])"
)
# VNI writes the mark of a vowel as a letter of its own behind it. Without those that Vietnamese has
# behind the same vowel: `oà`, `uâ`.
VNI = re.compile(
    rb"(?:(?<=[aeouy\xf4\xf6])[\xf9\xf8\xf5\xfb\xef\xe5\xe4]|(?<=[ae])[\xe2\xe1\xe0\xe3]"
    rb"|(?<=[AEOUY\xd4\xd6])[\xd9\xd8\xd5\xdb\xcf\xc5\xc4]|(?<=[AE])[\xc2\xc1\xc0\xc3])"
    rb"(?![\xcc\xd2\xde\xec\xf2])"
)
# Of all letters that are no ASCII, lists of 40 names of communes in TCVN3 had at least 15 % of
# these, in VNI at least 49 %; in Windows-1258 or Unicode fewer than 1 %.
LEAST_TCVN3, LEAST_VNI = 1 / 8, 1 / 5
OLD_FONT = N_("The letters are those of an old Vietnamese font (TCVN3 or VNI): save as UTF-8")
OLD_FONT_IN_UNICODE = N_(
    "The letters look like those of an old Vietnamese font (TCVN3 or VNI): convert them to Unicode"
    " before the import"
)
LEGACY = ("cp1258", "cp1252")


@dataclass(frozen=True)
class Encoding:
    """How to open a file; `legacy` is what the bytes mean that are no UTF-8, `None` for none.

    With `legacy`, the file is opened with `errors="surrogateescape"` and every row is either what
    the file is (`name`) or named as one that is not.
    """

    name: str
    opens: str
    legacy: str | None = None


def find_encoding(path: Path) -> Encoding:
    """The encoding of a whole file, read once; raises `Invalid` for what is no text."""
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, name, opens in (
        (codecs.BOM_UTF8, "UTF-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
        (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
    ):
        if head.startswith(mark):
            if _decodes(path, opens):
                return Encoding(name, opens)
            if name != "UTF-8":
                raise Invalid(UNKNOWN)
            return Encoding(name, opens, legacy=_mixed_or_legacy(path).legacy)
    silent = _unmarked_utf16(head)
    if silent and _decodes(path, silent):
        return Encoding("UTF-16", silent)
    if _decodes(path, "utf-8"):
        return Encoding("UTF-8", "utf-8")
    return _mixed_or_legacy(path)


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                if "\x00" in decoder.decode(chunk):
                    raise Invalid(NO_TEXT)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _unmarked_utf16(head: bytes) -> str | None:
    """Texts with many Latin letters have a NUL in every other place."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) < 4 or max(even, odd) * 4 < len(head):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _mixed_or_legacy(path: Path) -> Encoding:
    """A file that is not all UTF-8: which of its lines are, and what the others may be."""
    utf8 = other = 0
    marks = _Marks()
    possible = list(LEGACY)
    with path.open("rb") as file:
        # A line may have no end.
        while line := file.readline(CHUNK):
            if line.isascii():
                if b"\x00" in line:
                    raise Invalid(NO_TEXT)
                continue
            if b"\x00" in line:
                raise Invalid(NO_TEXT)
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                other += 1
            else:
                utf8 += 1
                continue
            marks.add(line, sum(1 for byte in line if byte >= 0x80))
            possible = [name for name in possible if _is(line, name)]
    if utf8 > other:
        return Encoding("UTF-8", "utf-8", legacy=(possible or ["latin-1"])[0])
    if marks.are_of_an_old_font:
        raise Invalid(OLD_FONT)
    legacy = (possible or ["latin-1"])[0]
    names = {"cp1258": "Windows-1258", "cp1252": "Windows-1252", "latin-1": "ISO-8859-1"}
    return Encoding(names[legacy], "utf-8", legacy=legacy)


class _Marks:
    """How many letters are no ASCII, and how many of them stand as in an old font."""

    def __init__(self) -> None:
        self.signs = self.tcvn3 = self.vni = 0

    def add(self, line: bytes, signs: int) -> None:
        self.signs += signs
        self.tcvn3 += len(TCVN3.findall(line))
        self.vni += len(VNI.findall(line))

    @property
    def are_of_an_old_font(self) -> bool:
        return self.tcvn3 > self.signs * LEAST_TCVN3 or self.vni > self.signs * LEAST_VNI


def notes_of_old_fonts(rows: Iterable[list[str]]) -> list[Note]:
    """A warning where texts in Unicode are made for an old font: `Coät Taân Hoäi`."""
    marks = _Marks()
    for row in rows:
        for cell in row:
            if not cell.isascii():
                signs = sum(1 for letter in cell if letter > "\x7f")
                marks.add(cell.encode("latin-1", "replace"), signs)
    # One sign behind a letter may have been meant.
    doubtful = marks.are_of_an_old_font and marks.tcvn3 + marks.vni > 1
    return [(OLD_FONT_IN_UNICODE, {})] if doubtful else []


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
