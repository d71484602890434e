"""Indexes by which the audit is read; and how long ended tokens, rows of exports and addresses of
messages are kept, in days."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

DAYS = {"retention_export_days": 1095, "retention_message_days": 1095, "retention_token_days": 365}


def upgrade() -> None:
    op.execute("CREATE INDEX ix_audit_entry_at ON audit_entry USING brin (at)")
    op.execute("CREATE INDEX ix_audit_entry_actor ON audit_entry (actor, id)")
    for key, days in DAYS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{days}')")  # noqa: S608


def downgrade() -> None:
    for index in ("at", "actor"):
        op.execute(f"DROP INDEX ix_audit_entry_{index}")
    for key in DAYS:
        op.execute(f"DELETE FROM setting WHERE key = '{key}'")  # noqa: S608
