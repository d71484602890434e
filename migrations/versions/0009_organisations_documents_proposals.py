"""People at organisations, documents, proposals, and what was merged into what."""

from __future__ import annotations

from alembic import context, op

revision = "0009"
down_revision = "0006"
branch_labels = None
depends_on = None


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
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON organisation_contact TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT ON organisation_merge TO "{role}"')


def downgrade() -> None:
    op.execute("DROP TABLE organisation_merge")
    op.execute("DROP TABLE organisation_contact")
    op.execute("DROP INDEX uq_organisation_tax_code")
    op.execute("ALTER TABLE organisation DROP COLUMN note")
