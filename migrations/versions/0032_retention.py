"""How long ended tokens, rows of exports and addresses of messages are kept, in days."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

DAYS = {"retention_export_days": 1095, "retention_message_days": 1095, "retention_token_days": 365}


def upgrade() -> None:
    for key, days in DAYS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{days}')")  # noqa: S608


def downgrade() -> None:
    for key in DAYS:
        op.execute(f"DELETE FROM setting WHERE key = '{key}'")  # noqa: S608
