"""Words without Flask, so that rules and labels may use them: the mark of texts to translate."""

from __future__ import annotations

import unicodedata


def N_(message: str) -> str:
    """Mark a text for translation without translating it yet."""
    return message


def plain(text: str) -> str:
    """A text without marks, case and surplus blanks: `Vĩ  độ` and `vi do` are one."""
    marked = unicodedata.normalize("NFD", text.strip().lower().replace("đ", "d"))
    bare = "".join(letter for letter in marked if not unicodedata.combining(letter))
    return " ".join(bare.split())
