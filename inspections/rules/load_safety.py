"""What a load-safety assessment means for its tower, and the item by which it is followed up.

The item stands in no version of the checklist: nobody is asked it but the re-inspection of what
an assessment demands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from inspections.rules.catalogue import LOAD_SAFETY, AnswerForm, Item, Level, Text
from towers.rules import StructureType


class AssessmentOutcome(StrEnum):
    """What a load-safety assessment comes to."""

    SAFE = "safe"
    SAFE_WITH_CONDITIONS = "safe_with_conditions"
    DANGEROUS = "dangerous"


# How severe what an assessment finds is; `safe` finds nothing.
SEVERITY_OF: Mapping[AssessmentOutcome, str] = {
    AssessmentOutcome.DANGEROUS: "critical",
    AssessmentOutcome.SAFE_WITH_CONDITIONS: "major",
}


def item(texts: Mapping[str, Any]) -> Item:
    """The item beside the checklist, with these texts: whether what is demanded was done."""
    return Item(
        key=LOAD_SAFETY,
        group="",
        label=Text(texts["vi"], texts["en"]),
        applies_to=frozenset(StructureType) - {StructureType.UNKNOWN},
        services=frozenset(),
        min_height_m=None,
        height_of="structure",
        answer=AnswerForm(
            type="yes_no",
            unit=Text("", ""),
            decimals=0,
            low=None,
            high=None,
            choices=(),
            pass_value="yes",  # noqa: S106
            derived=None,
            record_also=(),
            prompt=Text(texts["prompt"]["vi"], texts["prompt"]["en"]),
            risk_input_only=False,
        ),
        levels=(Level("major", None, "fail", None, frozenset(), None, None),),
        how="ground",
        photo="on_fail",
        basis="practice",
        source="",
        legal_basis=None,
        note="",
        asked_when=None,
    )


def shows_safety(assessed_on: date, found_on: date) -> bool:
    """Whether a report of one day can say that what another one found is over."""
    return assessed_on >= found_on
