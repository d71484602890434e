"""Failed attempts are counted for each network, and for an hour in all; tokens have an end."""

from __future__ import annotations

import json
from typing import Any

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

SETTINGS: dict[str, Any] = {
    # So long somebody can look up where they were signed in.
    "retention_session_days": 30,
    # NIST SP 800-63B-4, section 3.2.2: at most 100 failures in a row; here within an hour.
    "sign_in_hourly_failures": 100,
    "token_days": 365,
}


def upgrade() -> None:
    _count_by("who, place", "ADD COLUMN place bytea NOT NULL")
    for key, value in SETTINGS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{json.dumps(value)}')")  # noqa: S608


def downgrade() -> None:
    keys = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({keys})")  # noqa: S608
    _count_by("who", "DROP COLUMN place")


def _count_by(key: str, change: str) -> None:
    # They are forgotten after a day: nobody misses them.
    op.execute("DELETE FROM sign_in_failure")
    op.execute(f"ALTER TABLE sign_in_failure DROP CONSTRAINT pk_sign_in_failure, {change}")
    op.execute(f"ALTER TABLE sign_in_failure ADD CONSTRAINT pk_sign_in_failure PRIMARY KEY ({key})")
