"""Words of administrative areas, as they are since the two-tier reform of 1 July 2025."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    PROVINCE = "province"
    COMMUNE = "commune"
