"""People at organisations, documents, proposals, and what was merged into what."""

from __future__ import annotations

from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

EVENT_KINDS = (
    "'found', 'withdrawn', 'reinspected', 'reinspection_withdrawn', 'confirmed', 'notified',"
    " 'notice_withdrawn', 'served', 'extension_requested', 'extended', 'extension_refused',"
    " 'emergency_measures', 'authority_informed', 'claimed_fixed', 'escalated',"
    " 'annulment_requested', 'annulled'"
)
EVIDENCE = ("organisation_merge", "tower_merge", "document")


def upgrade() -> None:
    op.execute("ALTER TABLE organisation ADD COLUMN note text NOT NULL DEFAULT ''")
    op.execute(
        "CREATE UNIQUE INDEX uq_organisation_tax_code ON organisation (tax_code)"
        " WHERE tax_code <> ''"
    )
    op.execute(
        """
        CREATE TABLE organisation_contact (
            id uuid CONSTRAINT pk_organisation_contact PRIMARY KEY,
            organisation_id uuid NOT NULL
                CONSTRAINT fk_organisation_contact_organisation_id REFERENCES organisation,
            place smallint NOT NULL,
            name text NOT NULL CONSTRAINT ck_organisation_contact_name
                CHECK (length(btrim(name)) BETWEEN 1 AND 300),
            position text NOT NULL DEFAULT '',
            phone text NOT NULL DEFAULT '',
            email text NOT NULL DEFAULT '',
            note text NOT NULL DEFAULT ''
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_organisation_contact_organisation_id"
        " ON organisation_contact (organisation_id, place)"
    )
    op.execute(
        """
        CREATE TABLE organisation_merge (
            old_id uuid CONSTRAINT pk_organisation_merge PRIMARY KEY,
            old_name text NOT NULL,
            into_id uuid NOT NULL,
            at timestamptz NOT NULL,
            by_id uuid CONSTRAINT fk_organisation_merge_by_id REFERENCES "user",
            snapshot jsonb NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_organisation_merge_into_id ON organisation_merge (into_id)")
    op.execute(
        """
        CREATE TABLE tower_merge (
            old_id uuid CONSTRAINT pk_tower_merge PRIMARY KEY,
            old_code text COLLATE "C" NOT NULL,
            into_id uuid NOT NULL,
            at timestamptz NOT NULL,
            by_id uuid CONSTRAINT fk_tower_merge_by_id REFERENCES "user",
            snapshot jsonb NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_tower_merge_into_id ON tower_merge (into_id)")
    op.execute("CREATE INDEX ix_tower_merge_old_code ON tower_merge (old_code)")
    op.execute(
        """
        CREATE TABLE tower_proposal (
            id uuid CONSTRAINT pk_tower_proposal PRIMARY KEY,
            body_hash bytea NOT NULL,
            kind text NOT NULL
                CONSTRAINT ck_tower_proposal_kind CHECK (kind IN ('new', 'correction')),
            tower_id uuid CONSTRAINT fk_tower_proposal_tower_id REFERENCES tower,
            values jsonb NOT NULL,
            base jsonb NOT NULL,
            position geometry(Point, 4326),
            accuracy_m numeric(8, 1)
                CONSTRAINT ck_tower_proposal_accuracy_m CHECK (accuracy_m >= 0),
            commune_id integer CONSTRAINT fk_tower_proposal_commune_id REFERENCES area,
            note text NOT NULL DEFAULT '',
            state text NOT NULL DEFAULT 'open' CONSTRAINT ck_tower_proposal_state
                CHECK (state IN ('open', 'accepted', 'refused', 'withdrawn')),
            by_id uuid NOT NULL CONSTRAINT fk_tower_proposal_by_id REFERENCES "user",
            created_at timestamptz NOT NULL,
            decided_by_id uuid CONSTRAINT fk_tower_proposal_decided_by_id REFERENCES "user",
            decided_at timestamptz,
            reason text NOT NULL DEFAULT '',
            result_id uuid CONSTRAINT fk_tower_proposal_result_id REFERENCES tower,
            version integer NOT NULL DEFAULT 1,
            CONSTRAINT ck_tower_proposal_tower_id
                CHECK ((kind = 'correction') = (tower_id IS NOT NULL)),
            CONSTRAINT ck_tower_proposal_position
                CHECK (kind = 'correction' OR position IS NOT NULL),
            CONSTRAINT ck_tower_proposal_decided_at
                CHECK ((state = 'open') = (decided_at IS NULL)),
            CONSTRAINT ck_tower_proposal_result_id
                CHECK ((state = 'accepted') = (result_id IS NOT NULL)),
            CONSTRAINT ck_tower_proposal_reason CHECK (state <> 'refused' OR btrim(reason) <> '')
        )
        """
    )
    op.execute("CREATE INDEX ix_tower_proposal_created_at_id ON tower_proposal (created_at, id)")
    op.execute(
        "CREATE INDEX ix_tower_proposal_open ON tower_proposal (created_at, id)"
        " WHERE state = 'open'"
    )
    op.execute("CREATE INDEX ix_tower_proposal_position ON tower_proposal USING gist (position)")
    for column in ("tower_id", "result_id", "commune_id", "by_id"):
        op.execute(f"CREATE INDEX ix_tower_proposal_{column} ON tower_proposal ({column})")
    op.execute(
        """
        CREATE TABLE document (
            id uuid CONSTRAINT pk_document PRIMARY KEY,
            tower_id uuid CONSTRAINT fk_document_tower_id REFERENCES tower,
            proposal_id uuid CONSTRAINT fk_document_proposal_id REFERENCES tower_proposal,
            kind text NOT NULL CONSTRAINT ck_document_kind CHECK (kind IN
                ('dossier', 'permit', 'drawing', 'assessment', 'photo', 'contract', 'other')),
            title text NOT NULL
                CONSTRAINT ck_document_title CHECK (length(btrim(title)) BETWEEN 1 AND 300),
            filename text NOT NULL,
            media_type text NOT NULL,
            byte_size integer NOT NULL CONSTRAINT ck_document_byte_size CHECK (byte_size > 0),
            sha256 bytea NOT NULL CONSTRAINT ck_document_sha256 CHECK (length(sha256) = 32),
            by_id uuid CONSTRAINT fk_document_by_id REFERENCES "user",
            received_at timestamptz NOT NULL,
            removed_at timestamptz,
            removed_by_id uuid CONSTRAINT fk_document_removed_by_id REFERENCES "user",
            removed_reason text NOT NULL DEFAULT '',
            CONSTRAINT ck_document_belongs
                CHECK (tower_id IS NOT NULL OR proposal_id IS NOT NULL),
            CONSTRAINT ck_document_removed
                CHECK ((removed_at IS NULL) = (removed_reason = ''))
        )
        """
    )
    for column in ("tower_id", "proposal_id"):
        op.execute(f"CREATE INDEX ix_document_{column} ON document ({column}, received_at, id)")
    op.execute(
        "ALTER TABLE violation ADD COLUMN continued_in_id uuid"
        " CONSTRAINT fk_violation_continued_in_id REFERENCES violation"
    )
    op.execute(
        "CREATE INDEX ix_violation_continued_in_id ON violation (continued_in_id)"
        " WHERE continued_in_id IS NOT NULL"
    )
    _event_kinds(f"{EVENT_KINDS}, 'continued'")
    op.execute(
        "ALTER TABLE violation_event"
        " ADD COLUMN copy_of bigint CONSTRAINT fk_violation_event_copy_of"
        " REFERENCES violation_event,"
        " ADD COLUMN place bigint NOT NULL GENERATED ALWAYS AS (coalesce(copy_of, id)) STORED"
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON organisation_contact TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT ON {", ".join(EVIDENCE)} TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT, UPDATE ON tower_proposal TO "{role}"')
        # A document follows its tower and may be marked as removed; its content never changes.
        op.execute(
            "GRANT UPDATE (tower_id, removed_at, removed_by_id, removed_reason)"
            f' ON document TO "{role}"'
        )


def _event_kinds(kinds: str) -> None:
    op.execute(
        "ALTER TABLE violation_event DROP CONSTRAINT ck_violation_event_kind,"
        f" ADD CONSTRAINT ck_violation_event_kind CHECK (kind IN ({kinds}))"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE violation_event DROP COLUMN place, DROP COLUMN copy_of")
    op.execute("UPDATE violation_event SET kind = 'annulled' WHERE kind = 'continued'")
    _event_kinds(EVENT_KINDS)
    op.execute("ALTER TABLE violation DROP COLUMN continued_in_id")
    op.execute("DROP TABLE document")
    op.execute("DROP TABLE tower_proposal")
    op.execute("DROP TABLE tower_merge")
    op.execute("DROP TABLE organisation_merge")
    op.execute("DROP TABLE organisation_contact")
    op.execute("DROP INDEX uq_organisation_tax_code")
    op.execute("ALTER TABLE organisation DROP COLUMN note")
