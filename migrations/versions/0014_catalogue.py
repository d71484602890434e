"""Drafts of the checklist, back-tests of them, and how a visit was made.

The content of a published version is what judged inspections: the database refuses to change it.
"""

from __future__ import annotations

from alembic import context, op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

METHODS = "ARRAY['ground', 'climb', 'documents', 'instrument']"
SEVERITY = "IN ('critical', 'major', 'minor')"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE checklist_version
            ADD COLUMN revision integer NOT NULL DEFAULT 1,
            ADD COLUMN based_on integer,
            ADD COLUMN changed_at timestamptz,
            ADD COLUMN changed_by text NOT NULL DEFAULT '',
            ADD COLUMN digest text NOT NULL GENERATED ALWAYS AS (md5(content::text)) STORED
        """
    )
    for status in ("draft", "published"):
        op.execute(
            f"CREATE UNIQUE INDEX uq_checklist_version_{status} ON checklist_version (catalogue)"
            f" WHERE status = '{status}'"
        )
    op.execute(
        """
        CREATE FUNCTION checklist_version_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                RAISE EXCEPTION 'version % of the checklist was published', OLD.version
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_checklist_version_kept';
            ELSIF (NEW.content, NEW.version, NEW.catalogue)
                    IS DISTINCT FROM (OLD.content, OLD.version, OLD.catalogue)
                    OR NEW.status NOT IN (OLD.status, 'retired') THEN
                RAISE EXCEPTION 'version % of the checklist was published', OLD.version
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_checklist_version_kept';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER checklist_version_kept BEFORE UPDATE OR DELETE ON checklist_version"
        " FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION checklist_version_is_kept()"
    )
    op.execute(
        """
        CREATE TABLE back_test (
            checklist_version_id integer CONSTRAINT pk_back_test PRIMARY KEY
                CONSTRAINT fk_back_test_checklist_version_id
                REFERENCES checklist_version ON DELETE CASCADE,
            revision integer NOT NULL,
            job_id bigint,
            inspections integer NOT NULL DEFAULT 0,
            answers integer NOT NULL DEFAULT 0,
            unjudged integer NOT NULL DEFAULT 0,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            actor text NOT NULL
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE back_test_finding (
            checklist_version_id integer NOT NULL
                CONSTRAINT fk_back_test_finding_checklist_version_id
                REFERENCES back_test ON DELETE CASCADE,
            inspection_id uuid NOT NULL CONSTRAINT fk_back_test_finding_inspection_id
                REFERENCES inspection ON DELETE CASCADE,
            item_key text NOT NULL,
            before text CONSTRAINT ck_back_test_finding_before CHECK (before {SEVERITY}),
            after text CONSTRAINT ck_back_test_finding_after CHECK (after {SEVERITY}),
            CONSTRAINT pk_back_test_finding
                PRIMARY KEY (checklist_version_id, inspection_id, item_key),
            CONSTRAINT ck_back_test_finding_differs CHECK (before IS DISTINCT FROM after)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_back_test_finding_inspection_id ON back_test_finding (inspection_id)"
    )
    op.execute(
        "ALTER TABLE inspection ADD COLUMN methods text[]"
        f" CONSTRAINT ck_inspection_methods CHECK (methods <@ {METHODS})"
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT DELETE ON checklist_version TO "{role}"')
        op.execute(
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON back_test, back_test_finding TO "{role}"'
        )


def downgrade() -> None:
    op.execute("ALTER TABLE inspection DROP COLUMN methods")
    op.execute("DROP TABLE back_test_finding")
    op.execute("DROP TABLE back_test")
    op.execute("DROP TRIGGER checklist_version_kept ON checklist_version")
    op.execute("DROP FUNCTION checklist_version_is_kept")
    # What was never published judged nothing.
    op.execute("DELETE FROM checklist_version WHERE status = 'draft'")
    for status in ("draft", "published"):
        op.execute(f"DROP INDEX uq_checklist_version_{status}")
    op.execute(
        """
        ALTER TABLE checklist_version
            DROP COLUMN revision, DROP COLUMN based_on, DROP COLUMN changed_at,
            DROP COLUMN changed_by, DROP COLUMN digest
        """
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'REVOKE DELETE ON checklist_version FROM "{role}"')
