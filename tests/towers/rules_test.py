"""Heights, the expected influence zone, states of permits and unusual classes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from towers.rules import StructureType, fall_zone_m, overall_height, permit_state
from towers.vocabularies import unusual


@pytest.mark.parametrize(
    ("structure_type", "mast", "house", "overall"),
    [
        (StructureType.MONOPOLE, 42, None, 42),
        (StructureType.MONOPOLE, None, None, None),
        (StructureType.ROOFTOP_POLE, 6, 12, 18),
        (StructureType.ROOFTOP_POLE, 6, 0, 6),
        (StructureType.ROOFTOP_POLE, 6, None, None),
        (StructureType.ROOFTOP_GUYED, 50, None, None),
        (StructureType.ROOFTOP_GUYED, None, 12, None),
        (StructureType.UNKNOWN, 30, None, 30),
    ],
)
def test_a_roof_of_unknown_height_leaves_the_whole_unknown(
    structure_type, mast, house, overall
) -> None:
    heights = [None if one is None else Decimal(one) for one in (mast, house, overall)]
    assert overall_height(structure_type, heights[0], heights[1]) == heights[2]


@pytest.mark.parametrize(
    ("days", "state"),
    [(-1, "expired"), (0, "soon"), (90, "soon"), (91, "valid"), (None, "endless")],
)
def test_the_last_day_of_a_permit_is_a_good_one(days: int | None, state: str) -> None:
    today = date(2026, 11, 23)
    ends = None if days is None else today + timedelta(days=days)
    assert permit_state(ends, today=today, soon_days=90) == state


@pytest.mark.parametrize(
    ("kind", "height", "building", "radius"),
    [
        ("monopole", "40", None, "44.0"),
        ("monopole", "40", "10", "44.0"),
        ("rooftop_pole", "6", "12", "12.6"),
        ("rooftop_guyed", "6", None, None),
        ("guyed_mast", None, None, None),
    ],
)
def test_the_expected_influence_zone(kind, height, building, radius) -> None:
    found = fall_zone_m(
        kind,
        height and Decimal(height),
        building and Decimal(building),
        factor=Decimal("1.1"),
        building_factor=Decimal("0.5"),
    )
    assert found == (radius and Decimal(radius))


@pytest.mark.parametrize(
    ("kind", "planning", "category", "fields"),
    [
        ("guyed_mast", "A2b", "1", []),
        ("guyed_mast", "A1a", "1", ["planning_class"]),
        ("rooftop_pole", "A1a", "2", []),
        ("rooftop_pole", "A2b", "1", ["planning_class", "bts_category"]),
        ("unknown", "A1a", "2", []),
        ("monopole", None, None, []),
    ],
)
def test_classes_that_do_not_go_with_a_type_are_hinted_at(kind, planning, category, fields) -> None:
    assert [field for field, _ in unusual(kind, planning, category)] == fields
