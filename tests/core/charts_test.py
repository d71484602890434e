"""Drawings of bars: nothing leaves the box, and every number has its bar."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from core.charts import INKS, WIDTH, Series, columns, rows, scale

numbers = st.integers(0, 2_000_000)


@given(numbers)
def test_a_scale_has_few_round_steps_that_reach_the_top(most: int) -> None:
    steps = scale(most)
    assert steps[0] == 0
    assert steps[-1] >= most
    assert 2 <= len(steps) <= 6
    assert len({after - before for before, after in pairwise(steps)}) == 1


@given(
    st.lists(st.tuples(numbers, numbers), max_size=60),
    st.booleans(),
    st.text(max_size=60),
)
def test_columns_stay_in_their_box(
    values: list[tuple[int, int]], stacked: bool, label: str
) -> None:
    series = [
        Series(label, "one", [one for one, _ in values]),
        Series(label, "other", [other for _, other in values]),
    ]
    names = [f"{place:02d}/26" for place in range(len(values))]
    drawing = columns("key", "title", "about", names, series, written=str, stacked=stacked)
    drawn = drawing.bars[len(series) :]
    assert len(drawn) == sum(bool(value) for pair in values for value in pair)
    for bar in drawn:
        assert bar.x >= 0
        assert bar.y >= -0.01
        assert bar.x + bar.width <= WIDTH + 0.01
        assert bar.y + bar.height <= drawing.height + 0.01
    headed = drawing.headed("note")
    assert headed.height > drawing.height
    assert [bar.y - 54 for bar in headed.bars] == approx([bar.y for bar in drawing.bars])


def test_rows_are_as_long_as_their_numbers() -> None:
    drawing = rows("key", "t", "d", [("a", "ok", 10), ("b", "ok", 5), ("c", "ok", 0)], written=str)
    long, short = drawing.bars
    assert long.width == 2 * short.width


def test_no_two_inks_look_alike_without_colours() -> None:
    conditions = ["dangerous", "assessment_needed", "needs_follow_up", "ok", "unchecked"]
    assert len({INKS[name].pattern for name in conditions}) == 5
    assert INKS["one"].pattern != INKS["other"].pattern
