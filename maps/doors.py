"""What the doors of the map share."""

from __future__ import annotations

from dataclasses import replace

from towers.doors import asked_filters
from towers.queries import Filters


def map_filters() -> Filters:
    """The filters in the address; its box is what is looked at, not what is looked for."""
    return replace(asked_filters(), bbox=None)
