"""Searching organisations: case and marks do not matter, wildcards are only letters."""

from __future__ import annotations

import pytest

from accounts.queries import organisations
from tests import makers


@pytest.mark.parametrize(
    ("text", "found"), [("dong thap", 1), ("ĐỒNG THÁP", 1), ("%", 0), ("_", 0), ("\\", 0)]
)
def test_a_search_finds_the_text_itself(session, text, found) -> None:
    makers.organisation(session, "Viễn thông Đồng Tháp")
    staff = makers.actor(session, "staff")
    assert len(organisations(session, staff, q=text).rows) == found
