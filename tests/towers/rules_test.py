"""The height above ground of a structure."""

from __future__ import annotations

from decimal import Decimal

import pytest

from towers.rules import StructureType, overall_height


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
