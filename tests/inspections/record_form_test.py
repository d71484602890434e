"""The checklist as a web form: what its fields say, and what cannot be read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from werkzeug.datastructures import MultiDict

from core.errors import Invalid
from core.geo import Position
from inspections.forms import answers_from, visit_from_form
from tests.inspections.visits import CATALOGUE, TODAY, ZONE


def read(**fields: str):
    return visit_from_form(
        MultiDict(fields), CATALOGUE, kind="periodic", tower="DT-001", today=TODAY, zone=ZONE
    )


@pytest.mark.parametrize(
    ("accuracy", "kept"),
    [
        ("12.5", Decimal("12.5")),
        ("1e9", Decimal("99999.0")),
        ("inf", Decimal("99999.0")),
        ("", None),
        ("0", None),
        ("-3", None),
        ("nan", None),
    ],
)
def test_the_accuracy_of_a_position_is_a_number_of_metres_or_nothing(accuracy, kept) -> None:
    visit = read(position_latitude="10.46", position_longitude="105.63", position_accuracy=accuracy)
    assert visit.position == Position(10.46, 105.63)
    assert visit.position_accuracy_m == kept


@pytest.mark.parametrize("latitude", ["nan", "inf", "91", "north"])
def test_a_position_that_cannot_be_is_named(latitude) -> None:
    with pytest.raises(Invalid) as caught:
        read(position_latitude=latitude, position_longitude="105.63")
    assert set(caught.value.fields) == {"position"}


def test_a_day_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        read(inspected_on="23/11/2026")
    assert set(caught.value.fields) == {"inspected_on"}
    assert read().inspected_on == TODAY


def test_items_without_an_answer_are_left_out() -> None:
    form = MultiDict(
        {
            "value.clb_ladder": "no",
            "note.clb_ladder": " gỉ ",
            "outcome.sit_fence": "not_checked",
            "reason.sit_fence": "Ngập",
            "value.sit_fence": "yes",
            "reason.sit_sign": "quên",
            "input.str_plumb.offset_mm": "12",
            "also.guy_tension_dev.method": "pulse",
            "value.": "x",
            "value.ant_mount": "  ",
            "value.doc_permit": "a\x00b",
        }
    )
    assert answers_from(form, CATALOGUE) == {
        "clb_ladder": {"outcome": "ok", "value": "no", "note": "gỉ"},
        "sit_fence": {"outcome": "not_checked", "reason": "Ngập"},
        "str_plumb": {"outcome": "ok", "inputs": {"offset_mm": "12"}},
        "guy_tension_dev": {"outcome": "ok", "record_also": {"method": "pulse"}},
    }
