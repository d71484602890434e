"""What a visit needs to stand as evidence: who was there, when and where, with what; signatures.

Inspections are voided by two people, and a load-safety assessment is answered with its report.
"""

from __future__ import annotations

from alembic import context, op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSPECTION = (
    "voided_at",
    "voided_by_id",
    "void_reason",
    "void_asked_at",
    "void_asked_by_id",
    "verdict",
    "instruments",
    "distance_m",
    "received_at",
    "device_at",
    "ended_at",
    "started_at",
    "weather",
    "representative",
    "team",
)


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE inspection
            ADD COLUMN team text[] NOT NULL DEFAULT '{}',
            ADD COLUMN representative text NOT NULL DEFAULT '',
            ADD COLUMN weather text CONSTRAINT ck_inspection_weather
                CHECK (weather IN ('clear', 'cloudy', 'rain', 'strong_wind')),
            ADD COLUMN started_at timestamptz,
            ADD COLUMN ended_at timestamptz,
            ADD COLUMN device_at timestamptz,
            ADD COLUMN received_at timestamptz,
            ADD COLUMN distance_m numeric(10, 1),
            ADD COLUMN instruments jsonb NOT NULL DEFAULT '[]',
            ADD COLUMN verdict text CONSTRAINT ck_inspection_verdict
                CHECK (verdict IN ('ok', 'needs_follow_up', 'assessment_needed', 'dangerous')),
            ADD COLUMN void_asked_by_id uuid
                CONSTRAINT fk_inspection_void_asked_by_id REFERENCES "user",
            ADD COLUMN void_asked_at timestamptz,
            ADD COLUMN void_reason text NOT NULL DEFAULT '',
            ADD COLUMN voided_by_id uuid
                CONSTRAINT fk_inspection_voided_by_id REFERENCES "user",
            ADD COLUMN voided_at timestamptz,
            ADD CONSTRAINT ck_inspection_times CHECK (ended_at >= started_at),
            ADD CONSTRAINT ck_inspection_void_asked
                CHECK ((void_asked_at IS NULL) = (void_reason = '')),
            ADD CONSTRAINT ck_inspection_voided
                CHECK (voided_at IS NULL OR (status = 'voided' AND void_asked_at IS NOT NULL))
        """
    )
    # Those that wait for a second person are few, and looked for by everybody who opens the list.
    op.execute(
        "CREATE INDEX ix_inspection_void_asked_at ON inspection (void_asked_at, id)"
        " WHERE void_asked_at IS NOT NULL AND voided_at IS NULL"
    )
    op.execute(
        """
        ALTER TABLE photo
            ADD COLUMN source text NOT NULL DEFAULT 'file' CONSTRAINT ck_photo_source
                CHECK (source IN ('camera', 'file')),
            ADD COLUMN taken_at timestamptz
        """
    )
    op.execute(
        """
        CREATE TABLE signature (
            id uuid CONSTRAINT pk_signature PRIMARY KEY,
            inspection_id uuid NOT NULL
                CONSTRAINT fk_signature_inspection_id REFERENCES inspection,
            place text NOT NULL CONSTRAINT ck_signature_place
                CHECK (place IN ('inspector', 'representative', 'witness')),
            name text NOT NULL CONSTRAINT ck_signature_name
                CHECK (length(btrim(name)) BETWEEN 1 AND 200),
            sha256 bytea CONSTRAINT ck_signature_sha256 CHECK (length(sha256) = 32),
            body_hash bytea NOT NULL,
            at timestamptz NOT NULL,
            by_id uuid NOT NULL CONSTRAINT fk_signature_by_id REFERENCES "user"
        )
        """
    )
    op.execute("CREATE INDEX ix_signature_inspection_id ON signature (inspection_id, at, id)")
    op.execute(
        """
        ALTER TABLE load_assessment
            ADD COLUMN outcome text CONSTRAINT ck_load_assessment_outcome
                CHECK (outcome IN ('safe', 'safe_with_conditions', 'dangerous')),
            ADD COLUMN assessed_on date,
            ADD COLUMN assessor text NOT NULL DEFAULT '',
            ADD COLUMN conclusion text NOT NULL DEFAULT '',
            ADD COLUMN answered_by_id uuid
                CONSTRAINT fk_load_assessment_answered_by_id REFERENCES "user",
            ADD COLUMN document_id uuid
                CONSTRAINT fk_load_assessment_document_id REFERENCES document,
            ADD COLUMN version integer NOT NULL DEFAULT 1,
            ADD CONSTRAINT ck_load_assessment_answered
                CHECK (answered_at IS NULL OR (outcome IS NOT NULL AND assessed_on IS NOT NULL)),
            ADD CONSTRAINT ck_load_assessment_unanswered
                CHECK (answered_at IS NOT NULL OR (outcome IS NULL AND document_id IS NULL))
        """
    )
    op.execute("CREATE INDEX ix_load_assessment_deadline_id ON load_assessment (deadline, id)")
    op.execute(
        "INSERT INTO setting (key, value) VALUES ('at_tower_m', '100'), ('clock_minutes', '15')"
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT ON signature TO "{role}"')


def downgrade() -> None:
    op.execute("DELETE FROM setting WHERE key IN ('at_tower_m', 'clock_minutes')")
    op.execute("DROP INDEX ix_load_assessment_deadline_id")
    op.execute(
        """
        ALTER TABLE load_assessment
            DROP CONSTRAINT ck_load_assessment_unanswered,
            DROP CONSTRAINT ck_load_assessment_answered,
            DROP COLUMN version, DROP COLUMN document_id, DROP COLUMN answered_by_id,
            DROP COLUMN conclusion, DROP COLUMN assessor, DROP COLUMN assessed_on,
            DROP COLUMN outcome
        """
    )
    op.execute("DROP TABLE signature")
    op.execute("ALTER TABLE photo DROP COLUMN taken_at, DROP COLUMN source")
    op.execute("DROP INDEX ix_inspection_void_asked_at")
    op.execute(
        "ALTER TABLE inspection DROP CONSTRAINT ck_inspection_voided,"
        " DROP CONSTRAINT ck_inspection_void_asked, DROP CONSTRAINT ck_inspection_times, "
        + ", ".join(f"DROP COLUMN {name}" for name in INSPECTION)
    )
