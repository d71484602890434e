"""The register of towers, inside the envelope of the deployment."""

from __future__ import annotations

from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE structure_kind (
            key text CONSTRAINT pk_structure_kind PRIMARY KEY,
            interval_months integer CONSTRAINT ck_structure_kind_interval_months
                CHECK (interval_months > 0 AND interval_months <= 240),
            source text NOT NULL DEFAULT ''
        )
        """
    )
    op.execute(
        """
        INSERT INTO structure_kind (key, interval_months, source) VALUES
            ('lattice_self_support', 60, 'TIA-222-G: 5 years'),
            ('guyed_mast', 36, 'TIA-222-G: 3 years, guyed'),
            ('monopole', 60, 'TIA-222-G: 5 years'),
            ('rooftop_guyed', 36, 'TIA-222-G: 3 years, guyed'),
            ('rooftop_pole', 60, 'TIA-222-G: 5 years'),
            ('concrete_pole', 60, 'TIA-222-G: 5 years'),
            ('unknown', NULL, '')
        """
    )
    op.execute(
        r"""
        CREATE TABLE tower (
            id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_tower PRIMARY KEY,
            code text COLLATE "C" NOT NULL CONSTRAINT uq_tower_code UNIQUE
                CONSTRAINT ck_tower_code
                CHECK (code ~ '^[^[:space:]/?#%\\]+$' AND length(code) <= 64),
            name text NOT NULL
                CONSTRAINT ck_tower_name CHECK (length(btrim(name)) BETWEEN 1 AND 300),
            structure_type text NOT NULL
                CONSTRAINT fk_tower_structure_type REFERENCES structure_kind,
            services text[] NOT NULL DEFAULT '{}',
            height_m numeric(6, 1)
                CONSTRAINT ck_tower_height_m CHECK (height_m > 0 AND height_m <= 1000),
            host_building_height_m numeric(6, 1) CONSTRAINT ck_tower_host_building_height_m
                CHECK (host_building_height_m >= 0 AND host_building_height_m <= 1000),
            geom geometry(Point, 4326) NOT NULL CONSTRAINT ck_tower_finite
                CHECK (ST_X(geom) BETWEEN -180 AND 180 AND ST_Y(geom) BETWEEN -90 AND 90),
            geom_3857 geometry(Point, 3857) NOT NULL
                GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
            commune_id integer CONSTRAINT fk_tower_commune_id REFERENCES area,
            owner_id uuid CONSTRAINT fk_tower_owner_id REFERENCES organisation,
            address text NOT NULL DEFAULT '',
            built_year smallint
                CONSTRAINT ck_tower_built_year CHECK (built_year BETWEEN 1900 AND 2200),
            lifecycle text NOT NULL DEFAULT 'active' CONSTRAINT ck_tower_lifecycle CHECK
                (lifecycle IN
                 ('planned', 'built', 'active', 'inactive', 'abandoned', 'dismantled')),
            note text NOT NULL DEFAULT '',
            source text NOT NULL DEFAULT '',
            demo boolean NOT NULL DEFAULT false,
            version integer NOT NULL DEFAULT 1,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            search text NOT NULL GENERATED ALWAYS AS (search_form(code || ' ' || name)) STORED,
            condition text NOT NULL DEFAULT 'unchecked' CONSTRAINT ck_tower_condition CHECK
                (condition IN
                 ('dangerous', 'assessment_needed', 'needs_follow_up', 'ok', 'unchecked')),
            condition_reason text,
            ok_until date,
            worst_severity text,
            next_deadline date,
            open_violations integer NOT NULL DEFAULT 0,
            last_inspected_on date,
            CONSTRAINT ck_tower_ok_until CHECK ((condition = 'ok') = (ok_until IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX ix_tower_geom ON tower USING gist (geom)")
    op.execute("CREATE INDEX ix_tower_geom_3857 ON tower USING gist (geom_3857)")
    op.execute("CREATE INDEX ix_tower_search ON tower USING gin (search gin_trgm_ops)")
    op.execute('CREATE INDEX ix_tower_name_code ON tower (name COLLATE "vi-x-icu", code)')
    op.execute("CREATE INDEX ix_tower_condition_code ON tower (condition, code)")
    op.execute("CREATE INDEX ix_tower_commune_id_code ON tower (commune_id, code)")
    op.execute("CREATE INDEX ix_tower_owner_id_code ON tower (owner_id, code)")
    op.execute(
        "CREATE INDEX ix_tower_next_deadline ON tower (next_deadline)"
        " WHERE next_deadline IS NOT NULL"
    )
    op.execute(
        """
        CREATE FUNCTION tower_inside_envelope() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE box jsonb;
        BEGIN
            SELECT value INTO box FROM setting WHERE key = 'envelope';
            IF NOT (ST_X(NEW.geom) BETWEEN (box->>0)::float8 AND (box->>2)::float8
                AND ST_Y(NEW.geom) BETWEEN (box->>1)::float8 AND (box->>3)::float8) THEN
                RAISE EXCEPTION 'tower % lies outside the envelope of this deployment', NEW.code
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_tower_envelope';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER tower_envelope BEFORE INSERT OR UPDATE OF geom ON tower
        FOR EACH ROW EXECUTE FUNCTION tower_inside_envelope()
        """
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, UPDATE ON structure_kind TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON tower TO "{role}"')


def downgrade() -> None:
    op.execute("DROP TABLE tower")
    op.execute("DROP FUNCTION tower_inside_envelope")
    op.execute("DROP TABLE structure_kind")
