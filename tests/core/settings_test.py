"""Settings that the department changes: what is taken, what is refused, and who is told."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, store
from core.audit import AuditEntry
from core.policy import SYSTEM
from tests import doors, makers


def set_setting(app: Flask, key: str, value: str, *, code: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=["settings", "set", "--", key, value])
    assert result.exit_code == code, result.output
    return result.output


def test_a_change_is_kept_and_written_down(app: Flask, session: Session) -> None:
    set_setting(app, "due_soon_days", "30")
    assert store.kept_value(session, "due_soon_days") == 30
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.object_id) == ("setting.change", "due_soon_days")
    assert (entry.before, entry.after) == ({"value": 14}, {"value": 30})


def test_what_a_session_has_read_ends_with_a_change_and_with_what_is_taken_back(
    session: Session,
) -> None:
    assert store.value_of(session, "due_soon_days") == 14
    store.set_value(session, "due_soon_days", 30, by=SYSTEM, now=clock.now())
    assert store.value_of(session, "due_soon_days") == 30
    session.rollback()
    assert store.value_of(session, "due_soon_days") == 14


@pytest.mark.parametrize("key", ["due_soon_days", "assessment_days"])
@pytest.mark.parametrize(
    "value", ["abc", "-5", "0", "1.5", "true", "null", "[1]", '{"a": 1}', "1e9"]
)
def test_what_is_no_number_of_days_is_refused(
    app: Flask, session: Session, key: str, value: str
) -> None:
    before = store.kept_value(session, key)
    assert "3650" in set_setting(app, key, value, code=1)
    assert store.kept_value(session, key) == before
    # The dashboard counts with it.
    client = doors.client_of(app, session, makers.user(session, "staff"))
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "value", ["abc", "1,2,3", "118,7,102,24", "-181,7,118,24", "nan,7,118,24", "{}", "5"]
)
def test_what_is_no_envelope_is_refused(app: Flask, session: Session, value: str) -> None:
    before = store.kept_value(session, "envelope")
    assert "102,7,118,24" in set_setting(app, "envelope", value, code=1)
    assert store.kept_value(session, "envelope") == before


def test_an_unknown_setting_is_named(app: Flask, session: Session) -> None:
    assert "“nonsense”" in set_setting(app, "nonsense", "1", code=1)
