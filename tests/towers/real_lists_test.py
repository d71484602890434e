"""Lists as authorities publish them, through reader and mapping: what is theirs arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from core.geo import Envelope
from tests.towers.lists import mapped
from towers.fields import BY_NAME
from towers.fields import read as read_field
from towers.mapping import corrected, guess, read_place
from towers.readers import opened

EVERYWHERE = Envelope(-180, -90, 180, 90)
ANFR = {
    "code": (0,),
    "latitude": (3, 4, 5, 6),
    "longitude": (7, 8, 9, 10),
    "height_m": (11,),
    "address": (13,),
}


def test_the_heights_of_american_licences(reference: Callable[[str], Path]) -> None:
    path = reference("data/towers-fcc-uls/fcc_uls_tower_2016.csv")
    with opened(path, path.name) as listing:
        mapping = guess(listing)
        assert mapping.ignored == ("Unique System Identifier",)
        rows = list(mapped(listing, mapping).rows)
    assert len(rows) == 2654
    assert len({row.values["call_sign"] for row in rows}) == 202
    heights = [read_field(BY_NAME["height_m"], row.values["height_m"]) for row in rows]
    assert (min(map(float, heights)), max(map(float, heights))) == (6.1, 304.5)
    read = [read_place(row.values, mapping, EVERYWHERE) for row in rows]
    assert all(reading for reading, _ in read)
    first = read[0][0].position
    assert (first.latitude, first.longitude) == (38.63708333333333, -81.28477777777778)


def test_the_french_register_without_headers(reference: Callable[[str], Path]) -> None:
    path = reference("data/towers-anfr-sample/SUP_SUPPORT_sample.txt")
    with opened(path, path.name) as listing:
        assert (listing.facts.delimiter, listing.facts.header_row) == (";", None)
        assert listing.headers[:2] == ("Column 1", "Column 2")
        assert len(listing.headers) == 19
        guessed = guess(listing)
        assert guessed.columns == {}
        mapping = corrected(guessed, columns=ANFR)
        rows = list(mapped(listing, mapping).rows)
    assert len(rows) == 35
    assert not any(row.problems for row in rows)
    by_number = {row.number: row.values for row in rows}
    assert by_number[1]["code"] == "74167"
    assert by_number[1]["latitude"] == "46°0'13\" N"
    reading, problems = read_place(by_number[1], mapping, EVERYWHERE)
    assert problems == []
    assert reading.position.latitude == pytest.approx(46 + 13 / 3600)
    assert reading.position.longitude == pytest.approx(21 / 60 + 19 / 3600)
    # Several stations on one structure, a code that is nobody's height, a letter that was lost.
    codes = Counter(row.values["code"] for row in rows)
    assert [code for code, times in codes.items() if times > 1] == ["26393", "26407", "832453"]
    assert by_number[34]["height_m"] == ""
    west = [row.values["longitude"] for row in rows if row.values["longitude"].endswith("W")]
    assert west
    assert all(read_place(row.values, mapping, EVERYWHERE)[0] for row in rows)


def test_a_letter_that_was_lost_before_is_kept_as_it_is(reference: Callable[[str], Path]) -> None:
    path = reference("data/towers-anfr-sample/SUP_SUPPORT_sample.txt")
    with opened(path, path.name) as listing:
        assert listing.facts.encoding == "UTF-8"
        (row,) = [row for row in listing.rows if "1025887" in row.cells]
    assert "SEIX/POSTE ELECTRIQUE - CD N¡3" in row.cells


def test_the_points_of_the_communes(reference: Callable[[str], Path]) -> None:
    path = reference("data/dong-thap-communes-synthetic/dong_thap_communes_102_points.csv")
    with opened(path, path.name) as listing:
        mapping = guess(listing)
        assert set(mapping.ignored) == {"fullName", "areaKm2"}
        rows = list(mapped(listing, mapping).rows)
    assert len(rows) == 102
    box = Envelope(105, 10, 107, 11)
    assert all(read_place(row.values, mapping, box)[0] for row in rows)
