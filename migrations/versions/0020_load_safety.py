"""What a load-safety assessment finds is a violation: an event says so, and a safe one closes it.

Assessments that were answered before raise nothing here: a violation starts a clock, and that is
the department's to start, on a day when somebody is there to tell the owner. The command
`flask assessments raise` does it; until then what was found dangerous stays dangerous.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

OF_INSPECTIONS = "('found', 'withdrawn', 'reinspected', 'reinspection_withdrawn')"
FINDINGS = "('found', 'withdrawn', 'reinspected', 'reinspection_withdrawn', 'assessed_safe')"
STEPS = (
    "'confirmed', 'notified', 'notice_withdrawn', 'served', 'extension_requested', 'extended',"
    " 'extension_refused', 'emergency_measures', 'authority_informed', 'claimed_fixed',"
    " 'escalated', 'annulment_requested', 'annulled', 'continued'"
)


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE violation
            ADD COLUMN detail text NOT NULL DEFAULT '',
            ALTER COLUMN checklist_version_id DROP NOT NULL,
            ADD CONSTRAINT ck_violation_load_safety
                CHECK ((checklist_version_id IS NULL) = (item_key = 'load_safety'))
        """
    )
    op.execute(
        f"""
        ALTER TABLE violation_event
            ADD COLUMN assessment_id uuid
                CONSTRAINT fk_violation_event_assessment_id REFERENCES load_assessment,
            DROP CONSTRAINT ck_violation_event_kind,
            ADD CONSTRAINT ck_violation_event_kind
                CHECK (kind IN ({FINDINGS[1:-1]}, {STEPS})),
            DROP CONSTRAINT ck_violation_event_inspection,
            ADD CONSTRAINT ck_violation_event_source CHECK
                (num_nonnulls(inspection_id, assessment_id) = (kind IN {FINDINGS})::integer),
            ADD CONSTRAINT ck_violation_event_inspection
                CHECK (inspection_id IS NULL OR kind IN {OF_INSPECTIONS}),
            ADD CONSTRAINT ck_violation_event_assessment
                CHECK (assessment_id IS NULL OR kind IN ('found', 'assessed_safe'))
        """
    )
    op.execute(
        "CREATE INDEX ix_violation_event_assessment_id ON violation_event (assessment_id)"
        " WHERE assessment_id IS NOT NULL"
    )
    op.execute(
        "INSERT INTO setting (key, value) VALUES"
        " ('load_safety_critical_days', '7'), ('load_safety_major_days', '30')"
    )


def downgrade() -> None:
    op.execute(
        "DELETE FROM setting WHERE key IN ('load_safety_critical_days', 'load_safety_major_days')"
    )
    # What assessments found has no place in the former chain, which knows inspections only. The
    # assessments stay and keep their towers dangerous, as they did then; the numbers of open
    # violations at the towers are those of `flask recompute-conditions --write`.
    op.execute(
        """
        CREATE TEMPORARY TABLE leaving ON COMMIT DROP AS
            SELECT id FROM violation WHERE item_key = 'load_safety'
        """
    )
    op.execute(
        """
        DELETE FROM notice_reply_file WHERE reply_id IN
            (SELECT id FROM notice_reply WHERE violation_id IN (SELECT id FROM leaving))
        """
    )
    op.execute("DELETE FROM notice_reply WHERE violation_id IN (SELECT id FROM leaving)")
    op.execute("DELETE FROM notice_item WHERE violation_id IN (SELECT id FROM leaving)")
    op.execute("DELETE FROM reminder WHERE violation_id IN (SELECT id FROM leaving)")
    op.execute("DELETE FROM violation_event WHERE violation_id IN (SELECT id FROM leaving)")
    op.execute("DELETE FROM violation WHERE item_key = 'load_safety'")
    op.execute(
        f"""
        ALTER TABLE violation_event
            DROP CONSTRAINT ck_violation_event_assessment,
            DROP CONSTRAINT ck_violation_event_inspection,
            DROP CONSTRAINT ck_violation_event_source,
            DROP COLUMN assessment_id,
            ADD CONSTRAINT ck_violation_event_inspection
                CHECK ((kind IN {OF_INSPECTIONS}) = (inspection_id IS NOT NULL)),
            DROP CONSTRAINT ck_violation_event_kind,
            ADD CONSTRAINT ck_violation_event_kind CHECK (kind IN ({OF_INSPECTIONS[1:-1]}, {STEPS}))
        """
    )
    op.execute(
        """
        ALTER TABLE violation
            DROP CONSTRAINT ck_violation_load_safety,
            ALTER COLUMN checklist_version_id SET NOT NULL,
            DROP COLUMN detail
        """
    )
