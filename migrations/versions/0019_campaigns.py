"""Campaigns, and which inspector has which tower until when."""

from __future__ import annotations

from alembic import context, op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = ("campaign", "assignment")
KINDS = "'periodic', 'campaign', 'complaint', 'after_storm', 'reinspection'"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE campaign (
            id uuid CONSTRAINT pk_campaign PRIMARY KEY,
            body_hash bytea NOT NULL,
            name text NOT NULL
                CONSTRAINT ck_campaign_name CHECK (length(btrim(name)) BETWEEN 1 AND 300),
            kind text NOT NULL CONSTRAINT ck_campaign_kind CHECK (kind IN ({KINDS})),
            begins_on date NOT NULL,
            ends_on date NOT NULL,
            note text NOT NULL DEFAULT '',
            state text NOT NULL DEFAULT 'planned' CONSTRAINT ck_campaign_state
                CHECK (state IN ('planned', 'running', 'closed', 'cancelled')),
            area geometry(Polygon, 4326),
            ended_at timestamptz,
            reason text NOT NULL DEFAULT '',
            by_id uuid CONSTRAINT fk_campaign_by_id REFERENCES "user",
            created_at timestamptz NOT NULL,
            version integer NOT NULL DEFAULT 1,
            CONSTRAINT ck_campaign_period CHECK (ends_on >= begins_on),
            CONSTRAINT ck_campaign_ended_at
                CHECK ((state IN ('closed', 'cancelled')) = (ended_at IS NOT NULL)),
            CONSTRAINT ck_campaign_reason CHECK (state <> 'cancelled' OR btrim(reason) <> ''),
            CONSTRAINT ck_campaign_area CHECK (ST_IsValid(area))
        )
        """
    )
    op.execute("CREATE INDEX ix_campaign_begins_on_id ON campaign (begins_on, id)")
    op.execute(
        f"""
        CREATE TABLE assignment (
            id uuid CONSTRAINT pk_assignment PRIMARY KEY DEFAULT gen_random_uuid(),
            body_hash bytea,
            campaign_id uuid CONSTRAINT fk_assignment_campaign_id REFERENCES campaign,
            tower_id uuid NOT NULL CONSTRAINT fk_assignment_tower_id REFERENCES tower,
            kind text CONSTRAINT ck_assignment_kind CHECK (kind IN ({KINDS})),
            counts_from date,
            note text NOT NULL DEFAULT '',
            inspector_id uuid CONSTRAINT fk_assignment_inspector_id REFERENCES "user",
            due_on date NOT NULL,
            added_at timestamptz NOT NULL,
            added_by_id uuid CONSTRAINT fk_assignment_added_by_id REFERENCES "user",
            assigned_at timestamptz,
            assigned_by_id uuid CONSTRAINT fk_assignment_assigned_by_id REFERENCES "user",
            ended_at timestamptz,
            ended_by_id uuid CONSTRAINT fk_assignment_ended_by_id REFERENCES "user",
            ending text CONSTRAINT ck_assignment_ending
                CHECK (ending IN ('reassigned', 'removed', 'cancelled', 'merged')),
            reason text NOT NULL DEFAULT '',
            version integer NOT NULL DEFAULT 1,
            CONSTRAINT ck_assignment_single CHECK ((campaign_id IS NULL) = (kind IS NOT NULL)
                AND (campaign_id IS NULL) = (counts_from IS NOT NULL)),
            CONSTRAINT ck_assignment_assigned_at
                CHECK ((inspector_id IS NULL) = (assigned_at IS NULL)),
            CONSTRAINT ck_assignment_ended_at CHECK ((ended_at IS NULL) = (ending IS NULL))
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_assignment_live_campaign_id_tower_id"
        " ON assignment (campaign_id, tower_id) WHERE ended_at IS NULL AND campaign_id IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_assignment_live_inspector_id ON assignment (inspector_id, due_on, id)"
        " WHERE ended_at IS NULL"
    )
    op.execute(
        "CREATE INDEX ix_assignment_live_single ON assignment (due_on, id)"
        " WHERE ended_at IS NULL AND campaign_id IS NULL"
    )
    op.execute(
        "CREATE INDEX ix_assignment_campaign_id_due_on ON assignment (campaign_id, due_on, id)"
    )
    op.execute("CREATE INDEX ix_assignment_tower_id ON assignment (tower_id)")
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE ON {", ".join(TABLES)} TO "{role}"')


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
