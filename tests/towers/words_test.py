"""What is written nearly so: slipped keys, two words as one, Telex that nothing turned to marks."""

from __future__ import annotations

import pytest

from towers.words import anywhere, nearest, whole

KNOWN = {"cao", "lanh", "lap", "vo", "thap", "muoi", "dong", "hong", "ngu", "trung", "viettel"}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("lanhh", ("lanh",)),  # one too many
        ("lah", ("lap",)),  # one wrong, and `lanh` misses one as well
        ("tahp", ("thap",)),  # in the wrong order
        ("nuoi", ("muoi",)),
        ("vietel", ("viettel",)),
        ("caolanh", ("cao lanh",)),
        ("lapvo", ("lap vo",)),
        ("laxnh", ("lanh",)),
        ("ddoongf", ("dong",)),
        ("thaps", ("thap",)),
        ("zzzz", ()),
        ("vo", ()),  # too short to be told from another word
        ("00071", ()),  # another number is another tower
    ],
)
def test_the_nearest_words(typed: str, found: tuple[str, ...]) -> None:
    near = nearest(typed, KNOWN)
    assert near[: len(found)] == found or set(found) <= set(near)
    assert bool(near) == bool(found)
    assert typed not in near


def test_a_word_that_is_known_has_neighbours_but_not_itself() -> None:
    assert nearest("dong", KNOWN) == ("hong",)


def test_nothing_is_near_to_nothing() -> None:
    assert nearest("lanhh", ()) == ()


def test_short_words_begin_a_word() -> None:
    assert (anywhere("an"), anywhere("anh"), whole("anh")) == ("% an%", "%anh%", "% anh %")
    assert (anywhere("dt 77"), anywhere("vnpt 9")) == ("% dt 77%", "%vnpt 9%")
