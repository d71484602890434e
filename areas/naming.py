"""How areas are written: names with and without marks and type words, codes, columns of files.

Names repeat, tone marks are set in two ways (`hòa`, `hoà`) or not at all, and lists write `P. 5`
for `Phường 5`. The type words and the usual names of columns are data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from areas.rules import Level
from core.words import plain

WORDS = yaml.safe_load(
    (Path(__file__).resolve().parent / "data" / "words.yaml").read_text(encoding="utf-8")
)
# The type words of each level with their abbreviations.
KINDS: Mapping[str, Mapping[str, Sequence[str]]] = WORDS["kinds"]
# What columns are called, the likeliest first, without marks and anything but letters.
COLUMN_NAMES: Mapping[str, Sequence[str]] = WORDS["columns"]
# How many digits the official codes of a level have: a worksheet drops the zeros in front.
DIGITS: dict[str, int] = {Level.PROVINCE: 2, Level.DISTRICT: 3, Level.COMMUNE: 5}

TONES = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}
# Letters that stand for đ in files that were written with another alphabet.
ETH = str.maketrans({"ð": "đ", "Ð": "Đ"})
WORD = re.compile(r"[^\W_]+")


def marked(text: str) -> str:
    """A name for comparison with its marks: small letters, one blank between words, each tone at
    the end of its word, so that `Hoà` and `Hòa` are one."""
    words = []
    for word in _words(text):
        parts = unicodedata.normalize("NFD", word)
        tones = "".join(sorted(part for part in parts if part in TONES))
        rest = "".join(part for part in parts if part not in TONES)
        words.append(unicodedata.normalize("NFC", rest) + tones)
    return " ".join(words)


def unmarked(text: str) -> str:
    """The same without marks: `Phường Cao Lãnh` is `phuong cao lanh`."""
    return plain(" ".join(_words(text)))


def _words(text: str) -> list[str]:
    """Small letters in NFC without punctuation; numbers without zeros in front."""
    small = unicodedata.normalize("NFC", text).translate(ETH).lower()
    words = WORD.findall(unicodedata.normalize("NFC", small))
    return [word.lstrip("0") or "0" if word.isdecimal() else word for word in words]


# `P5`, `P.5`, `TP.Mỹ Tho`: the blank behind the abbreviation is missing.
GLUED = re.compile(r"\s*(p|ph|f|q)\s*\.?\s*(\d+)\s*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """One way to read a text as a name: its type word, if it has one, and the rest."""

    kind: str | None
    name: str


def readings(text: str, level: str) -> list[Reading]:
    """How a text can be read as the name of an area, the likeliest first.

    `Phương Thịnh` is a name and no ward, `phuong thinh` may be both, and so both are returned.
    """
    text = GLUED.sub(r"\1 \2", unicodedata.normalize("NFC", text))
    words = " ".join(_words(text))
    exact, bare = marked(text), unmarked(text)
    found: list[Reading] = []
    for kind, forms in KINDS[level].items():
        for form in forms:
            if exact.startswith(marked(form) + " ") or (
                # Without any mark in the type word itself, the type word may be meant.
                bare.startswith(unmarked(form) + " ") and words.startswith(unmarked(form) + " ")
            ):
                found.append(Reading(kind, words.split(" ", len(form.split()))[-1]))
    return [*found, Reading(None, words)]


@dataclass(frozen=True)
class Likeness:
    """How well a text names an area: with all marks, and with its own type word."""

    without_marks: bool
    other_kind: bool

    @property
    def exact(self) -> bool:
        return not (self.without_marks or self.other_kind)


def likeness(text: str, name: str, level: str) -> Likeness | None:
    """How well a text names the area with a full name (`Xã Tân Hội`); `None` if it does not."""
    own = readings(name, level)[0]
    best: Likeness | None = None
    for reading in readings(text, level):
        if unmarked(reading.name) != unmarked(own.name):
            continue
        one = Likeness(
            without_marks=marked(reading.name) != marked(own.name),
            other_kind=reading.kind not in (None, own.kind),
        )
        if best is None or rank(one) < rank(best):
            best = one
    return best


def rank(one: Likeness) -> tuple[bool, bool]:
    """The order of likenesses: the type word counts more than the marks."""
    return one.other_kind, one.without_marks


def code_forms(text: str, level: str) -> tuple[str, ...]:
    """The codes that a text may be: as written, and with the zeros that a worksheet dropped."""
    code = text.strip()
    if not re.fullmatch(r"[0-9]{1,20}", code):
        return ()
    full = code.zfill(DIGITS[level])
    return (code,) if full == code else (code, full)


def split_context(text: str) -> tuple[str, str]:
    """The name and what stands behind it: `Phường 5, TP Mỹ Tho` is `Phường 5` in `TP Mỹ Tho`."""
    first, _, rest = text.partition(",")
    return first.strip(), rest.strip(" ,")


def guessed_column(columns: Sequence[str], meaning: str) -> str | None:
    """The column whose name says that it has this meaning, or `None`."""
    known: dict[str, str] = {}
    for column in columns:
        known.setdefault(re.sub(r"[^a-z0-9]", "", unmarked(column)), column)
    return next((known[name] for name in COLUMN_NAMES[meaning] if name in known), None)
