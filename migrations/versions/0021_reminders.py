"""Messages about assessments, emergencies and notices to owners; owners answer by an account."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KINDS = "'emergency', 'due_soon', 'overdue', 'escalated'"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE reminder
            ALTER violation_id DROP NOT NULL,
            ADD COLUMN tower_id uuid CONSTRAINT fk_reminder_tower_id REFERENCES tower,
            ADD COLUMN assessment_id uuid CONSTRAINT fk_reminder_assessment_id
                REFERENCES load_assessment ON DELETE SET NULL,
            ADD COLUMN due_at timestamptz,
            ADD COLUMN audience text NOT NULL DEFAULT 'department'
                CONSTRAINT ck_reminder_audience CHECK (audience IN ('department', 'owner')),
            ADD CONSTRAINT ck_reminder_subject
                CHECK (violation_id IS NULL OR assessment_id IS NULL),
            DROP CONSTRAINT uq_reminder_violation_id_kind_deadline,
            DROP CONSTRAINT ck_reminder_kind
        """
    )
    op.execute(
        """
        UPDATE reminder SET tower_id = violation.tower_id
        FROM violation WHERE violation.id = reminder.violation_id
        """
    )
    op.execute(
        f"""
        ALTER TABLE reminder
            ALTER tower_id SET NOT NULL,
            ADD CONSTRAINT ck_reminder_kind CHECK (kind IN ({KINDS})),
            ADD CONSTRAINT ck_reminder_due_at CHECK ((kind = 'emergency') = (due_at IS NOT NULL))
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_reminder_violation_id_occasion ON reminder"
        " (violation_id, kind, deadline, due_at, audience) NULLS NOT DISTINCT"
        " WHERE violation_id IS NOT NULL"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_reminder_assessment_id_occasion ON reminder"
        " (assessment_id, kind, deadline) WHERE assessment_id IS NOT NULL"
    )
    op.execute("CREATE INDEX ix_reminder_tower_id ON reminder (tower_id)")
    op.execute("INSERT INTO setting (key, value) VALUES ('owner_reminders', 'false')")
    op.execute(
        """
        ALTER TABLE notice_reply
            ALTER link_id DROP NOT NULL,
            ADD COLUMN by_id uuid CONSTRAINT fk_notice_reply_by_id REFERENCES "user",
            ADD CONSTRAINT ck_notice_reply_speaker
                CHECK ((link_id IS NULL) = (by_id IS NOT NULL))
        """
    )


def downgrade() -> None:
    # The words of accounts stay in the events of the violations.
    op.execute(
        """
        DELETE FROM notice_reply_file USING notice_reply
        WHERE notice_reply.id = reply_id AND link_id IS NULL
        """
    )
    op.execute("DELETE FROM notice_reply WHERE link_id IS NULL")
    op.execute(
        """
        ALTER TABLE notice_reply
            DROP CONSTRAINT ck_notice_reply_speaker,
            DROP COLUMN by_id,
            ALTER link_id SET NOT NULL
        """
    )
    op.execute("DELETE FROM setting WHERE key = 'owner_reminders'")
    op.execute(
        """
        DELETE FROM reminder
        WHERE violation_id IS NULL OR kind = 'emergency' OR audience = 'owner'
        """
    )
    op.execute("DROP INDEX ix_reminder_tower_id")
    op.execute("DROP INDEX uq_reminder_assessment_id_occasion")
    op.execute("DROP INDEX uq_reminder_violation_id_occasion")
    op.execute(
        """
        ALTER TABLE reminder
            DROP CONSTRAINT ck_reminder_due_at,
            DROP CONSTRAINT ck_reminder_kind,
            DROP CONSTRAINT ck_reminder_subject,
            DROP COLUMN audience,
            DROP COLUMN due_at,
            DROP COLUMN assessment_id,
            DROP COLUMN tower_id,
            ALTER violation_id SET NOT NULL,
            ADD CONSTRAINT ck_reminder_kind CHECK (kind IN ('due_soon', 'overdue', 'escalated')),
            ADD CONSTRAINT uq_reminder_violation_id_kind_deadline
                UNIQUE (violation_id, kind, deadline)
        """
    )
