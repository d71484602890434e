"""Who sees to an open violation, filters of the follow-up list by name."""

from __future__ import annotations

from alembic import context, op

revision = "0017"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("saved_list",)


def upgrade() -> None:
    for table in ("violation", "load_assessment"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN assignee_id uuid"
            f' CONSTRAINT fk_{table}_assignee_id REFERENCES "user"'
        )
    op.execute(
        """
        CREATE INDEX ix_violation_open_assignee ON violation (assignee_id, urgency, deadline, id)
        WHERE state = 'open' AND assignee_id IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_load_assessment_pending_assignee
        ON load_assessment (assignee_id, deadline, id)
        WHERE answered_at IS NULL AND assignee_id IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE TABLE saved_list (
            id uuid CONSTRAINT pk_saved_list PRIMARY KEY,
            user_id uuid NOT NULL CONSTRAINT fk_saved_list_user_id REFERENCES "user",
            name text NOT NULL CONSTRAINT ck_saved_list_name
                CHECK (length(btrim(name)) BETWEEN 1 AND 100),
            query jsonb NOT NULL,
            saved_at timestamptz NOT NULL,
            version integer NOT NULL DEFAULT 1
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_saved_list_user_id_name ON saved_list (user_id, lower(name))"
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(TABLES)} TO "{role}"')


def downgrade() -> None:
    op.execute("DROP TABLE saved_list")
    op.execute("DROP INDEX ix_load_assessment_pending_assignee")
    op.execute("DROP INDEX ix_violation_open_assignee")
    for table in ("load_assessment", "violation"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN assignee_id")
