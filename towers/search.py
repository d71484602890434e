"""What a search text means in the register: words in towers, owners and communes, or nearly so.

Owners and communes are looked up by their present names, so that a renamed one is found at once
and no tower is written for it. Each word may stand anywhere, in any order, with or without marks.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Text,
    and_,
    cast,
    false,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.orm import Session

from accounts.models import Organisation
from areas.models import Area
from core import policy
from core.policy import Actor
from towers.models import Tower, tower_word
from towers.words import MOST_WORDS, anywhere, nearest, whole

# Who asks for one row gets a plan that hopes to meet it soon, and reads the whole table where there
# is none. So many are asked for that a rare word is looked up in its index; the first one is read.
ENOUGH = 100


@dataclass(frozen=True)
class Word:
    """One word of a search: its patterns in `tower.search`, and the owners and communes it names.

    A tower has the word where any of them fits.
    """

    patterns: tuple[str, ...]
    owners: tuple[uuid.UUID, ...] = ()
    communes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A search text as understood; `nearly` where nothing is written exactly so.

    `code` is the text as a code would be written, empty where it cannot be one.
    """

    words: tuple[Word, ...] = ()
    code: str = ""
    nearly: bool = False


def understood(session: Session, actor: Actor, text: str) -> Wanted:
    """What a text asks for in the reader's scope: every word of it, else words that are near."""
    exact = exactly(session, text)
    if not exact.words or _any_tower(session, actor, exact):
        return exact
    forms = list(dict.fromkeys(word for form in _forms(session, text) for word in form.split()))
    vocabulary = _vocabulary(session)
    near = {form: nearest(form, vocabulary) for form in forms}
    # Where some words are written nowhere, only these are at fault.
    written = [form for form in forms if form.isalpha()]
    faulty = [one for one in written if not any(one in word for word in vocabulary)] or written
    patterns = [
        (anywhere(form), *(whole(one) for one in near[form] if form in faulty)) for form in forms
    ]
    if all(len(one) == 1 for one in patterns):
        return exact
    near_by = Wanted(words=_named(session, patterns), nearly=True)
    # The words are those of the whole register: that there are such is not told of foreign towers.
    return near_by if _any_tower(session, actor, near_by) else exact


def exactly(session: Session, text: str) -> Wanted:
    """What a text asks for word by word, whether there is such a tower or not."""
    if not text.strip():
        return Wanted()
    forms = _forms(session, text)
    code = text.strip()
    return Wanted(
        words=_named(session, [(anywhere(form),) for form in forms]),
        code="" if len(code.split()) > 1 else code,
    )


def matches(wanted: Wanted) -> ColumnElement[bool]:
    """Every word occurs in the tower's own texts, or in the name of its owner or commune.

    A text without any letter or digit asks for nothing that could be found.
    """
    if not wanted.words:
        return false()
    return and_(*(_has(word) for word in wanted.words))


def _has(word: Word) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [Tower.search.like(one) for one in word.patterns]
    # The ids stand in the statement, so that the planner knows how many towers each has.
    if word.owners:
        ways.append(Tower.owner_id.in_(word.owners))
    if word.communes:
        ways.append(Tower.commune_id.in_(word.communes))
    return or_(*ways)


def _any_tower(session: Session, actor: Actor, wanted: Wanted) -> bool:
    some = (
        select(Tower.id)
        .where(policy.visible(actor, "tower"), matches(wanted))
        .limit(ENOUGH)
        .cte("some")
        .prefix_with("MATERIALIZED")
    )
    return session.scalar(select(some.c.id).limit(1)) is not None


def _forms(session: Session, text: str) -> list[str]:
    """What stands between the blanks of a text, as it is compared, each once.

    What a sign joins stays together: `DT-77` is a `dt` with a `77` behind it.
    """
    given = (
        func.unnest(cast(text.split()[:MOST_WORDS], ARRAY(Text)))
        .table_valued("typed", with_ordinality="place", name="given")
        .render_derived()
    )
    forms = session.scalars(
        select(func.btrim(func.search_words(given.c.typed))).order_by(given.c.place)
    )
    return [form for form in dict.fromkeys(forms) if form]


def _named(session: Session, patterns: Sequence[tuple[str, ...]]) -> tuple[Word, ...]:
    """The words with these patterns, with the owners and communes that each names."""
    given = (
        func.unnest(
            cast([number for number, one in enumerate(patterns) for _ in one], ARRAY(Integer)),
            cast([pattern for one in patterns for pattern in one], ARRAY(Text)),
        )
        .table_valued("place", "pattern", name="given")
        .render_derived()
    )
    owners: dict[int, list[uuid.UUID]] = {}
    communes: dict[int, list[int]] = {}
    for place, owner, commune in session.execute(
        select(given.c.place, Organisation.id, null())
        .join(Organisation, func.search_words(Organisation.name).like(given.c.pattern))
        .union_all(
            select(given.c.place, null(), Area.id)
            .join(Area, func.search_words(Area.name).like(given.c.pattern))
            .where(Area.level == "commune")
        )
    ):
        (owners if owner else communes).setdefault(place, []).append(owner or commune)
    return tuple(
        Word(one, tuple(owners.get(number, ())), tuple(communes.get(number, ())))
        for number, one in enumerate(patterns)
    )


def _vocabulary(session: Session) -> set[str]:
    """Every word without marks and digits that stands in a tower, an owner or a commune."""
    names = select(Organisation.name).union_all(select(Area.name).where(Area.level == "commune"))
    named = names.subquery("names")
    word = func.string_to_table(func.btrim(func.search_words(named.c.name)), " ")
    return set(session.scalars(select(tower_word.c.form).union(select(word))))
