"""Words of a search: what is written nearly so, for hands that slip on a key."""

from __future__ import annotations

import re
from collections.abc import Collection

from rapidfuzz import process
from rapidfuzz.distance import OSA

# A page of text pasted by mistake is no search: the words behind these are not looked for.
MOST_WORDS = 8
MOST_NEAR = 5
SHORT = 2
# Marks as Telex keyboards write them, where nothing turns them into letters: `ddoongf`.
TELEX_LETTERS = (("dd", "d"), ("aa", "a"), ("ee", "e"), ("oo", "o"), ("w", ""))
TELEX_TONE = re.compile(r"(?<=.)[sfrxj]")


def anywhere(form: str) -> str:
    """The pattern of a word in `tower.search`: inside of words, a short one at their beginning.

    Every third name has an `an` in it somewhere, and an index of trigrams cannot find two letters.
    Of several words behind one another the first decides.
    """
    return f"% {form}%" if len(form.split(" ", 1)[0]) <= SHORT else f"%{form}%"


def whole(form: str) -> str:
    """The pattern of whole words, one or several behind one another."""
    return f"% {form} %"


def slips(form: str) -> int:
    """How many letters of a word may be wrong, missing, too many or in the wrong order.

    Words with digits are numbers of somebody else's: another number is another tower.
    """
    if len(form) <= SHORT or not form.isalpha():
        return 0
    return 1 if len(form) < 6 else 2


def nearest(form: str, vocabulary: Collection[str]) -> tuple[str, ...]:
    """The known words that are most like a word without marks, nearest first; without any, none.

    Knows keys that slipped, two words written as one (`caolanh`), and Telex that no keyboard
    turned into marks (`laxnh`). The word itself is not among them.
    """
    known = frozenset(vocabulary)
    typed = [one for one in _without_telex(form) if one in known]
    split = [
        f"{form[:place]} {form[place:]}"
        for place in range(2, len(form) - 1)
        if form[:place] in known and form[place:] in known
    ]
    slipped: list[str] = []
    if slips(form):
        found = process.extract(
            form, sorted(known), scorer=OSA.distance, score_cutoff=slips(form), limit=None
        )
        least = min((distance for _, distance, _ in found if distance), default=0)
        slipped = [word for word, distance, _ in found if distance == least]
    near = dict.fromkeys((*typed, *split, *slipped))
    return tuple(one for one in near if one != form)[:MOST_NEAR]


def _without_telex(form: str) -> list[str]:
    plain = form
    for keys, letter in TELEX_LETTERS:
        plain = plain.replace(keys, letter)
    toneless = [plain[: one.start()] + plain[one.end() :] for one in TELEX_TONE.finditer(plain)]
    return [plain, *toneless]
