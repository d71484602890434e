"""Hoàng Sa and Trường Sa, which every map names as Vietnam's."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

ISLANDS = Path(__file__).resolve().parent / "data" / "islands.json"


@cache
def islands_text() -> str:
    """Their names and places as JSON."""
    return json.dumps(json.loads(ISLANDS.read_text(encoding="utf-8")), ensure_ascii=False)
