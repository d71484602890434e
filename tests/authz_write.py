"""Writes `authz.yaml` anew: run as `python -m tests.authz`, never with the other tests."""

from __future__ import annotations

from flask import Flask
from sqlalchemy.orm import Session

from tests import authz, doors


def test_write(app: Flask, session: Session, world: doors.World) -> None:
    new = authz.write(authz.bench(app, session, world))
    for rule, method in new:
        print(f"new: {method} {rule}")
    print(f"{len(new)} new rules in {authz.FILE}")
