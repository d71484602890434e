"""Words without Flask, so that rules and labels may use them: the mark of texts to translate."""

from __future__ import annotations

import re
import unicodedata


def N_(message: str) -> str:
    """Mark a text for translation without translating it yet."""
    return message


def plain(text: str) -> str:
    """A text without marks, case and surplus blanks: `Vĩ  độ` and `vi do` are one."""
    marked = unicodedata.normalize("NFD", text.strip().lower().replace("đ", "d"))
    bare = "".join(letter for letter in marked if not unicodedata.combining(letter))
    return " ".join(bare.split())


# A text that a spreadsheet would take for a formula; exports write our own mark, an apostrophe,
# before it, and before one that begins as if it had that mark already.
FORMULA = re.compile(r"'*[=+@\t\r-]")


def unprotected(cell: str) -> str:
    """The text of a cell without our mark; a cell that has none as it is."""
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell, 1) else cell
