"""What the register shows on pages of others."""

from __future__ import annotations

from typing import Any

from areas.models import Area
from core import clock
from core.db import current_session
from core.guard import current_actor
from core.slots import Panel
from towers import queries


def towers_of(area: Area) -> dict[str, Any]:
    """How many towers stand in a commune of today, or of a province, in the reader's scope."""
    number = None
    if area.level == "commune" and area.valid_to is None:
        filters = queries.Filters(commune=area.code, include_dismantled=True)
        number = queries.count(current_session(), current_actor(), filters, today=clock.today())
    return {
        "area": area,
        "number": number,
        "former": queries.count_former(current_session(), current_actor(), area),
    }


AREA_PANELS = (Panel("towers/_area_towers.html", towers_of, "tower.view"),)
