"""Angles and lengths as people write them, in Vietnamese and English, before any system is known.

One letter is ambiguous: N is north in English and Nam, south, in Vietnamese. Where the text does
not tell, an angle says so (`either`) and whoever knows the place decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.words import N_

MAX_LENGTH = 200

LATITUDE = "latitude"
LONGITUDE = "longitude"


class Unreadable(ValueError):
    """A text that says no coordinate; `text` is why, for the user, with its `facts`."""

    def __init__(self, text: str, **facts: Any) -> None:
        super().__init__(text)
        self.text = text
        self.facts: Mapping[str, Any] = facts


@dataclass(frozen=True)
class Angle:
    """Degrees with their sign; `axis` where the text says it.

    `either`: the letter was an N that may mean north or Nam (south); `degrees` is then positive.
    `language` is `vi` or `en` where a letter belongs to one of them.
    """

    degrees: float
    axis: str | None = None
    either: bool = False
    language: str | None = None
    # Whether a letter or a name of the axis stood there, rather than a bare number.
    signed: bool = False


# What stands for °, ′ and ″ in files, and what broken encodings make of them.
SIGNS = {
    "â€²": "'", "â€³": '"', "â€™": "'", "Â°": "°", "Âº": "°",
    "º": "°", "˚": "°", "⁰": "°", "ᵒ": "°", "*": "°", "∘": "°",
    "′": "'", "’": "'", "‘": "'", "`": "'", "´": "'", "ʹ": "'", "ʼ": "'", "＇": "'", "‛": "'",
    "″": '"', "”": '"', "“": '"', "„": '"', "˝": '"', "ʺ": '"', "＂": '"', "‟": '"',
    "Đ": "đ", "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "，": ",", "；": ";",
}  # fmt: skip


FOREIGN = re.compile("|".join(map(re.escape, SIGNS)))
BLANK = re.compile(r"[^\S\n]")
DECIMALS_BEHIND = re.compile(r"(\d)([°'\"])([.,]\d+)", re.ASCII)


def _our_sign(match: re.Match[str]) -> str:
    return SIGNS[match[0]]


def bare(text: str) -> str:
    """A text in small letters without marks: `Vĩ độ` is `vi đo`, whatever keyboard wrote it.

    đ stays a letter of its own: it begins Đông (east), and d marks degrees.
    """
    return _unmarked(text).casefold()


def _unmarked(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def normal(text: str) -> str:
    """One writing of signs and blanks, case kept; raises `Unreadable` for a text that is long."""
    if len(text) > MAX_LENGTH:
        raise Unreadable(N_("This text is too long for a coordinate"))
    if not text.isascii():
        text = _unmarked(FOREIGN.sub(_our_sign, unicodedata.normalize("NFC", text)))
        text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    text = BLANK.sub(" ", text)
    text = text.replace("''", '"')
    # 36",5 and 27'.5 mean 36,5" and 27.5'.
    return DECIMALS_BEHIND.sub(r"\1\3\2", text.strip())


# What a text consists of, in the order of trying. Letters count only where no other follows.
END = r"(?![A-Za-zđ])"
TOKENS = re.compile(
    rf"""
    (?P<dotted>\d{{1,3}}\.\d\d\.\d\d(?:,\d{{1,20}})?(?![\d.]))
    | (?P<number>\d{{1,9}}(?:[.,]\d{{1,20}})?(?!\d))
    | (?P<north>(?:vi\s(?:đo|do|tuyen)\s|vi\s)?bac{END}|north{END}|b{END})
    | (?P<south>(?:vi\s(?:đo|do|tuyen)\s|vi\s)?nam{END}|south{END})
    | (?P<east>(?:kinh\s(?:đo|do|tuyen)\s|kinh\s)?[đd]ong{END}|east{END}|e{END}|đ{END})
    | (?P<west>(?:kinh\s(?:đo|do|tuyen)\s|kinh\s)?tay{END}|west{END}|w{END}|t{END})
    | (?P<latitude>vi\s?(?:đo|do|tuyen){END}|latitude{END}|lat{END}|φ)
    | (?P<longitude>kinh\s?(?:đo|do|tuyen){END}|longitude{END}|long?{END}|lng{END}|λ)
    | (?P<degree>[°*]|(?:đo|do|deg|degrees?|o){END}|o(?=\d))
    | (?P<minute>['`]|(?:phut|ph|min|minutes?){END}|(?:phut|ph|p|m)(?=\d))
    | (?P<second>"|(?:giay|gi|g|sec|seconds?){END})
    | (?P<d>d{END}) | (?P<m>[mp]{END}) | (?P<s>s(?=[nsewbtdđ]?{END})) | (?P<n>n{END})
    | (?P<break>[,;/|\n]) | (?P<colon>[:=]) | (?P<dash>-) | (?P<plus>\+)
    | (?P<blank>[ ()\[\]]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
HEMISPHERES: dict[str, tuple[str, int, str]] = {
    # kind: axis, sign; the language is decided by the letter.
    "north": (LATITUDE, 1, ""),
    "south": (LATITUDE, -1, ""),
    "east": (LONGITUDE, 1, ""),
    "west": (LONGITUDE, -1, ""),
    "n": (LATITUDE, 1, "either"),
}
UNITS = ("degree", "minute", "second")
SECONDS = (3600, 60, 1)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str, written: str) -> list[_Token]:
    found: list[_Token] = []
    place = 0
    while place < len(text):
        match = TOKENS.match(text, place)
        if match is None or match.lastgroup is None:
            raise _Unfinished(written).wrong()
        found.append(_Token(match.lastgroup, match[0], place, match.end()))
        place = match.end()
    return found


class _Unfinished:
    """An angle being read: its numbers with their units, its letter, sign and name."""

    def __init__(self, text: str) -> None:
        self.text = text[:60]
        self.parts: list[tuple[str, str | None]] = []
        self.negative = False
        self.plain_sign = False
        self.letter: _Token | None = None
        self.prefixed = False
        self.name: str | None = None
        # Whether letters stand for its units, as in 10d27m36s.
        self.lettered = False

    def wrong(self) -> Unreadable:
        return Unreadable(
            N_("“%(value)s” is not a number of degrees such as 10.4603"), value=self.text
        )

    @property
    def empty(self) -> bool:
        return not (self.parts or self.letter or self.plain_sign or self.name)

    @property
    def full(self) -> bool:
        """No further number can belong to it."""
        if not self.parts:
            return False
        number, unit = self.parts[-1]
        return len(self.parts) == 3 or bool(re.search(r"[.,]", number)) or unit == "second"

    def finished(self) -> Angle:
        if not self.parts:
            raise self.wrong()
        degrees = _sum(self.parts, self.text)
        kind = self.letter.kind if self.letter else None
        if kind is None:
            if abs(degrees) > 180:
                raise Unreadable(N_("“%(value)s” has more than 180 degrees"), value=self.text)
            sign = -1 if self.negative else 1
            return Angle(sign * degrees, axis=self.name, signed=self.name is not None)
        axis, sign, sort = HEMISPHERES[kind]
        if self.negative:
            raise Unreadable(
                N_("“%(value)s” has a minus and a letter: one of them says the side"),
                value=self.text,
            )
        if self.name not in (None, axis) or degrees > (90 if axis == LATITUDE else 180):
            raise Unreadable(
                N_("The letter in “%(value)s” does not fit its number"), value=self.text
            )
        assert self.letter is not None
        return Angle(
            sign * degrees,
            axis=axis,
            either=sort == "either",
            language=_language(self.letter.text),
            signed=True,
        )


def _language(letter: str) -> str | None:
    word = bare(letter)
    if word == "n":
        return None
    if word in {"s", "e", "w", "north", "south", "east", "west"}:
        return "en"
    return "vi"


def _sum(parts: list[tuple[str, str | None]], text: str) -> float:
    """Degrees, as exact as a float can be: whole seconds of whole powers of ten, divided once."""
    total, scale = 0, 1
    last = len(parts) - 1
    for place, (number, unit) in enumerate(parts):
        whole, _, decimals = number.replace(",", ".").partition(".")
        if (unit is not None and unit != UNITS[place]) or (place < last and decimals.strip("0")):
            raise Unreadable(
                N_("“%(value)s” does not read as degrees, minutes, seconds"), value=text
            )
        if place and int(whole) >= 60:
            raise Unreadable(
                N_("Minutes and seconds lie below 60, in “%(value)s” they do not"), value=text
            )
        weight = SECONDS[place]
        total += int(whole) * weight
        if place == last:
            scale = 10 ** len(decimals)
            total = total * scale + int(decimals or 0) * weight
    return total / (3600 * scale)


def read_angles(text: str) -> list[Angle]:
    """The angles in a text, in its order; raises `Unreadable` where anything else stands in it.

    Takes decimal degrees with comma or point, and degrees, minutes and seconds with signs,
    letters, words, blanks, colons or dashes between them, hemispheres before or after.
    """
    tokens = _tokens(normal(text), text)
    parts = _halved(tokens, text) or _angles(tokens, text)
    return [one.finished() for one in parts]


def _halved(tokens: list[_Token], text: str) -> list[_Unfinished]:
    """Four or six bare whole numbers: both angles have as many."""
    if any(token.kind not in {"number", "blank"} for token in tokens):
        return []
    numbers = [token.text for token in tokens if token.kind == "number"]
    if len(numbers) not in (4, 6):
        return []
    half = len(numbers) // 2
    found = []
    for part in (numbers[:half], numbers[half:]):
        angle = _Unfinished(text)
        angle.parts = [(number, None) for number in part]
        found.append(angle)
    return found


def _angles(tokens: list[_Token], text: str) -> Iterator[_Unfinished]:
    now = _Unfinished(text)
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        kind = token.kind
        if kind in {"d", "m", "s"}:
            kind = _unit_or_side(kind, token, now, before, after)
        if kind in HEMISPHERES:
            if now.parts and now.letter is None:
                # 1e5 is a number of programs, no place in the east.
                program = token.text in "eE" and before is not None and before.kind == "number"
                if program and after is not None and after.kind in {"number", "dash", "plus"}:
                    raise now.wrong()
                now.letter = replace(token, kind=kind)
            elif now.parts or now.letter:
                # A second letter: the next angle begins with its own.
                if not (now.prefixed and now.parts):
                    raise now.wrong()
                yield now
                now = _Unfinished(text)
                now.letter, now.prefixed = replace(token, kind=kind), True
            else:
                now.letter, now.prefixed = replace(token, kind=kind), True
        elif kind in {"latitude", "longitude"}:
            if now.parts:
                yield now
                now = _Unfinished(text)
            elif now.name or now.letter:
                raise now.wrong()
            now.name = kind
        elif kind in {"number", "dotted"}:
            unit = _unit_after(tokens, place)
            begins = bool(now.parts) and (
                now.full or unit == "degree" or (now.letter is not None and not now.prefixed)
            )
            if begins:
                yield now
                now = _Unfinished(text)
            if kind == "dotted":
                if now.parts:
                    raise now.wrong()
                first, second, third = token.text.split(".")
                now.parts = [(first, None), (second, None), (third, None)]
            else:
                now.parts.append((token.text, None))
        elif kind in UNITS:
            if not now.parts or now.parts[-1][1] is not None:
                raise now.wrong()
            now.parts[-1] = (now.parts[-1][0], kind)
            now.lettered = now.lettered or token.kind in {"d", "m"}
        elif kind == "colon":
            if now.empty:
                raise now.wrong()
        elif kind == "break":
            if not now.empty:
                yield now
                now = _Unfinished(text)
        elif kind in {"dash", "plus"}:
            between = (
                kind == "dash"
                and before is not None
                and after is not None
                and before.kind not in {"blank", "break", "colon"}
                and after.kind == "number"
                and bool(now.parts)
            )
            if between and (now.letter is None or now.prefixed) and not now.full:
                continue
            spaced = kind == "dash" and after is not None and after.kind == "blank"
            lettered = now.letter is not None and before is not None and before.kind != "blank"
            if now.parts and (spaced or (kind == "dash" and lettered)):
                yield now
                now = _Unfinished(text)
                continue
            if after is None or after.kind not in {"number", "dotted"}:
                raise now.wrong()
            if now.parts:
                yield now
                now = _Unfinished(text)
            now.plain_sign = True
            now.negative = kind == "dash"
    if not now.empty:
        yield now


def _unit_after(tokens: list[_Token], place: int) -> str | None:
    """Which unit stands right after a number, when it is beyond doubt."""
    for token in tokens[place + 1 : place + 3]:
        if token.kind == "blank":
            continue
        if token.kind in UNITS:
            return token.kind
        if token.kind == "d" and token.text in "dD":
            following = tokens[tokens.index(token) + 1 :][:1]
            if following and following[0].kind == "number":
                return "degree"
        return None
    return None


def _unit_or_side(
    kind: str, token: _Token, now: _Unfinished, before: _Token | None, after: _Token | None
) -> str:
    """d, m and s: a unit inside an angle like 10d27m36s, a side (Đông, South) after a whole one."""
    attached = before is not None and before.kind in {"number", "dotted"}
    place = len(now.parts)
    unmarked = bool(now.parts) and now.parts[-1][1] is None
    if kind == "m":
        return "minute"
    if kind == "d":
        whole = unmarked and not re.search(r"[.,]", now.parts[-1][0])
        inside = after is not None and (
            after.kind == "number" or (after.kind == "blank" and token.text == "d")
        )
        return "degree" if attached and place == 1 and whole and inside else "east"
    letters = place == 3 and now.parts[1][1] == "minute"
    small = token.text == "s" or now.lettered
    if attached and unmarked and letters and (small or _followed_by_side(after)):
        return "second"
    return "south"


def _followed_by_side(after: _Token | None) -> bool:
    return after is not None and after.kind in {*HEMISPHERES, "s", "d"}


# The usual writing of long lists, which need not be taken apart sign by sign.
USUAL = re.compile(
    r"(\d{1,3})(?:° ?| )(\d{1,2})(?:['′] ?| )(\d{1,2}(?:[.,]\d{1,20})?)(?:\"|″|'')? ?([NBEWĐT]?)",
    re.ASCII,
)
SIDES = {"N": "n", "B": "north", "E": "east", "Đ": "east", "W": "west", "T": "west"}


def read_angle(text: str) -> Angle:
    """The one angle of a cell; raises `Unreadable` for none or several."""
    usual = USUAL.fullmatch(text)
    if usual:
        one = _Unfinished(text)
        one.parts = [(part, None) for part in usual.group(1, 2, 3)]
        if usual[4]:
            one.letter = _Token(SIDES[usual[4]], usual[4], *usual.span(4))
        return one.finished()
    found = read_angles(text)
    if len(found) != 1:
        raise _Unfinished(text).wrong()
    return found[0]


def joined(degrees: str, minutes: str = "", seconds: str = "", letter: str = "") -> str:
    """One text from columns of degrees, minutes, seconds and hemisphere; empty where all are.

    An empty column of minutes or seconds means 0; one of degrees is missed when it is read.
    """
    parts = [part.strip() for part in (degrees, minutes, seconds)]
    if not any(parts):
        return ""
    signs = ("°", "'", '"')
    written = "".join(
        part if part.endswith(sign) else part + sign
        for part, sign in zip(parts, signs, strict=True)
        if part
    )
    return f"{written} {letter.strip()}".strip()


GROUPED = re.compile(
    r"([+-]?)(\d{1,3}(?:([.,' ])\d{3})(?:\3\d{3})*)(?:(?!\3)([.,])(\d{1,12}))?", re.ASCII
)
PLAIN = re.compile(r"([+-]?)(\d{1,9})(?:[.,](\d{1,12}))?", re.ASCII)


def read_length(text: str) -> float | None:
    """Metres of a projected coordinate, with or without separators of thousands, else `None`.

    `567.890` and `567,890` are 567 890 m: no projection gives anybody 568 m.
    """
    try:
        written = normal(text)
    except Unreadable:
        return None
    written = re.sub(r"\s?m(?:et)?\.?\Z", "", written, flags=re.IGNORECASE).strip()
    match = GROUPED.fullmatch(written)
    if match:
        whole = re.sub(r"[.,' ]", "", match[2])
        return float(f"{match[1]}{whole}.{match[5] or 0}") if len(whole) <= 9 else None
    match = PLAIN.fullmatch(written)
    if match:
        return float(f"{match[1]}{match[2]}.{match[3] or 0}")
    return None


@dataclass(frozen=True)
class Lengths:
    """Two lengths as written, with what their names say: `north_first`, or `None`.

    `paper`: they were called X and Y, which papers and programs use the other way round.
    `zone` and `letter` belong to a UTM position such as 48P 567890 1156789.
    """

    first: float
    second: float
    north_first: bool | None = None
    paper: bool = False
    zone: int | None = None
    letter: str = ""


LENGTH_NAME = re.compile(
    r"(?:x\s?\(m\)|y\s?\(m\)|northing|easting|bac|dong|đong|[xynebđ])\s*[:=]?", re.IGNORECASE
)
UTM_ZONE = re.compile(
    r"(?:(?:utm|zone|mui|wgs ?-?84)[\s:/]*)*(\d{1,2})\s?([c-hj-np-x])\b[\s:,;]*",
    re.IGNORECASE | re.ASCII,
)
# What projected coordinates can be: anything shorter than 100 km is an angle or a mistake.
LEAST_LENGTH = 100_000
# From the equator to a pole.
MOST_LENGTH = 10_000_000


def read_lengths(text: str) -> Lengths | None:
    """The two projected coordinates of a text, or `None` where it has no such two.

    Names may stand before them (`X=1156789 Y=567890`) or after (`567890mE 1156789mN`).
    """
    try:
        written = normal(text)
    except Unreadable:
        return None
    written = written.strip("()[] ")
    zone: int | None = None
    letter = ""
    head = UTM_ZONE.match(written)
    if head and 1 <= int(head[1]) <= 60:
        zone, letter = int(head[1]), head[2].upper()
        written = written[head.end() :]
    names = LENGTH_NAME.findall(written)
    parts = [part for part in LENGTH_NAME.split(written) if part.strip(" ,;/|-\n()m")]
    if len(names) == 2 and len(parts) == 2:
        first, second = (read_length(part.strip(" ,;/|\n()").rstrip("-m ")) for part in parts)
        keys = [bare(name).strip(" :=")[0] for name in names]
        north = {"x": None, "y": None, "n": True, "b": True, "e": False, "đ": False, "d": False}
        sides = [north[key] for key in keys]
        if sorted(keys) == ["x", "y"]:
            return _lengths(first, second, keys[0] == "x", True, zone, letter)
        if set(sides) == {True, False}:
            return _lengths(first, second, sides[0], False, zone, letter)
        return None
    if names:
        return None
    found: set[tuple[float, float]] = set()
    for splits in _splits(written):
        found = found or set(_long_enough(splits))
    if len(found) != 1:
        return None
    first, second = found.pop()
    return _lengths(first, second, None, False, zone, letter)


def _lengths(
    first: float | None,
    second: float | None,
    north_first: bool | None,
    paper: bool,
    zone: int | None,
    letter: str,
) -> Lengths | None:
    if first is None or second is None:
        return None
    if abs(first) < LEAST_LENGTH or abs(second) < LEAST_LENGTH:
        return None
    return Lengths(first, second, north_first, paper, zone, letter)


def _long_enough(splits: list[tuple[str, str]]) -> Iterator[tuple[float, float]]:
    for one, other in splits:
        first, second = read_length(one), read_length(other)
        if first is None or second is None:
            continue
        if all(LEAST_LENGTH <= abs(length) <= MOST_LENGTH for length in (first, second)):
            yield first, second


def _splits(text: str) -> Iterator[list[tuple[str, str]]]:
    """All ways to cut a text in two at what may separate numbers, firm separators first."""
    firm = re.split(r"\s*[;|/\n]\s*|\s+-\s+|,\s+", text)
    if len(firm) == 2:
        yield [(firm[0], firm[1])]
        return
    for separator in (r"\s+", ","):
        yield [
            (text[: match.start()].strip(), text[match.end() :].strip())
            for match in re.finditer(separator, text)
        ]
