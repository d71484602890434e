"""Who sees to an open violation, filters of the follow-up list by name, exports with numbers,
and messages about deadlines."""

from __future__ import annotations

import json

from alembic import context, op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("saved_list", "export", "reminder")
SETTINGS = {
    "export_days": 7,
    "export_rows_at_once": 20_000,
    "pdf_rows": 1_000,
    "reminder_address": "",
    "escalation_address": "",
    "escalation_name": "",
    "escalation_days": 7,
}


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
    op.execute(
        """
        CREATE TABLE export (
            id uuid CONSTRAINT pk_export PRIMARY KEY,
            what text NOT NULL,
            format text NOT NULL,
            query jsonb NOT NULL,
            filters jsonb NOT NULL,
            language text NOT NULL,
            state text NOT NULL CONSTRAINT ck_export_state CHECK (state IN
                ('begun', 'waiting', 'done', 'failed', 'cancelled', 'cleared')),
            rows integer,
            size bigint,
            job_id bigint,
            error jsonb,
            actor_id text,
            actor text NOT NULL,
            created_at timestamptz NOT NULL,
            finished_at timestamptz,
            version integer NOT NULL DEFAULT 1
        )
        """
    )
    op.execute("CREATE INDEX ix_export_created_at_id ON export (created_at, id)")
    op.execute("CREATE INDEX ix_export_actor_id_created_at_id ON export (actor_id, created_at, id)")
    op.execute(
        """
        CREATE TABLE reminder (
            id uuid CONSTRAINT pk_reminder PRIMARY KEY,
            violation_id uuid NOT NULL CONSTRAINT fk_reminder_violation_id REFERENCES violation,
            kind text NOT NULL CONSTRAINT ck_reminder_kind
                CHECK (kind IN ('due_soon', 'overdue', 'escalated')),
            deadline date NOT NULL,
            recipient text NOT NULL,
            subject text NOT NULL,
            body text NOT NULL,
            message_id text NOT NULL,
            state text NOT NULL CONSTRAINT ck_reminder_state
                CHECK (state IN ('waiting', 'sent', 'failed', 'obsolete')),
            attempts integer NOT NULL DEFAULT 0,
            next_try_at timestamptz NOT NULL,
            error text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL,
            sent_at timestamptz,
            version integer NOT NULL DEFAULT 1,
            CONSTRAINT ck_reminder_sent_at CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
            CONSTRAINT uq_reminder_violation_id_kind_deadline UNIQUE (violation_id, kind, deadline),
            CONSTRAINT uq_reminder_message_id UNIQUE (message_id)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_reminder_waiting ON reminder (next_try_at, id) WHERE state = 'waiting'"
    )
    op.execute("CREATE INDEX ix_reminder_created_at_id ON reminder (created_at, id)")
    for key, value in SETTINGS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{json.dumps(value)}')")  # noqa: S608
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(TABLES)} TO "{role}"')


def downgrade() -> None:
    names = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({names})")  # noqa: S608
    op.execute("DROP TABLE reminder")
    op.execute("DROP TABLE export")
    op.execute("DROP TABLE saved_list")
    op.execute("DROP INDEX ix_load_assessment_pending_assignee")
    op.execute("DROP INDEX ix_violation_open_assignee")
    for table in ("load_assessment", "violation"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN assignee_id")
