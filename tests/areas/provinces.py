"""Đồng Tháp for tests, as the demo has it, and boundaries of its kind."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import shapely
from sqlalchemy.orm import Session

from areas.cli import DEMO
from areas.readers import Choice, read_boundaries
from areas.rules import Boundary, Level, Validity
from areas.services.loading import Change, Terms, load_areas
from areas.services.reform import load_reform, reform_pairs
from core.policy import SYSTEM, Actor
from tests import makers

JUNE, JULY = date(2025, 6, 30), date(2025, 7, 1)


@cache
def demo_boundaries() -> tuple[Boundary, ...]:
    return read_boundaries(DEMO, DEMO.name, Level.COMMUNE, Choice()).areas


def dong_thap(session: Session, *, reform: bool = False) -> None:
    """The 102 communes with synthetic boundaries, and what was there before the reform."""
    load(session, *demo_boundaries())
    if reform:
        load_reform(session, reform_pairs(), by=SYSTEM, now=makers.NOW)


def boundary(
    code: str = "1",
    name: str = "Xã Một",
    box: tuple[float, float, float, float] = (105.0, 10.0, 105.5, 10.5),
    **more: Any,
) -> Boundary:
    """A square area of a file: west, south, east, north in degrees."""
    square = shapely.multipolygons([shapely.box(*box)])
    return Boundary(
        number=more.pop("number", 1), code=code, name=name, geom=shapely.to_wkb(square), **more
    )


def load(
    session: Session, *boundaries: Boundary, by: Actor = SYSTEM, keep: bool = True, **more: Any
) -> Change:
    since, until = more.pop("since", JULY), more.pop("until", None)
    now = more.pop("now", makers.NOW)
    terms = Terms(
        **{
            "level": "commune",
            "validity": Validity(since, until),
            "province_code": "82",
            "province_name": "Tỉnh Đồng Tháp",
            "synthetic": True,
            "source": "test",
            **more,
        }
    )
    return load_areas(session, boundaries, terms, keep=keep, today=now.date(), by=by, now=now)
