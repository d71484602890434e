"""What the worker does to large campaigns."""

from __future__ import annotations

from alembic import context, op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE campaign_work (
            campaign_id uuid CONSTRAINT pk_campaign_work PRIMARY KEY
                CONSTRAINT fk_campaign_work_campaign_id REFERENCES campaign,
            what text NOT NULL CONSTRAINT ck_campaign_work_what
                CHECK (what IN ('add', 'share', 'edit', 'cancel')),
            said jsonb NOT NULL,
            job_id bigint NOT NULL,
            by_id uuid NOT NULL CONSTRAINT fk_campaign_work_by_id REFERENCES "user",
            asked_at timestamptz NOT NULL,
            expected integer NOT NULL,
            towers integer,
            finished_at timestamptz,
            CONSTRAINT ck_campaign_work_finished
                CHECK ((finished_at IS NULL) = (towers IS NULL))
        )
        """
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_work TO "{role}"')


def downgrade() -> None:
    op.execute("DROP TABLE campaign_work")
