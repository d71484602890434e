"""Lists as batches: looked up, reviewed, undone; their mappings by name.

The envelope is asked once a statement when towers are added, and the structure type is checked like
every other vocabulary (nobody may add to `structure_kind`): row by row they took as long as two
indexes of the table.
"""

from __future__ import annotations

from alembic import context, op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("import_batch", "import_duplicate", "import_mapping")
STRUCTURE_TYPES = (
    "'lattice_self_support', 'guyed_mast', 'monopole', 'rooftop_guyed', 'rooftop_pole',"
    " 'concrete_pole', 'unknown'"
)
SETTINGS = {"duplicate_metres": 30, "similar_metres": 300, "upload_days": 30}


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE import_batch (
            id uuid CONSTRAINT pk_import_batch PRIMARY KEY,
            filename text NOT NULL,
            sha256 text NOT NULL,
            size bigint NOT NULL,
            facts jsonb NOT NULL DEFAULT '{}',
            mapping jsonb,
            options jsonb NOT NULL DEFAULT '{}',
            state text NOT NULL CONSTRAINT ck_import_batch_state CHECK (state IN
                ('uploaded', 'checking', 'checked', 'importing', 'done', 'failed', 'cancelled',
                 'undoing', 'undone')),
            counts jsonb NOT NULL DEFAULT '{}',
            error jsonb,
            job_id bigint,
            actor_id text,
            actor text NOT NULL,
            created_at timestamptz NOT NULL,
            finished_at timestamptz,
            version integer NOT NULL DEFAULT 1
        )
        """
    )
    op.execute("CREATE INDEX ix_import_batch_created_at_id ON import_batch (created_at, id)")
    op.execute(
        """
        CREATE TABLE import_duplicate (
            id uuid CONSTRAINT pk_import_duplicate PRIMARY KEY DEFAULT gen_random_uuid(),
            batch_id uuid NOT NULL
                CONSTRAINT fk_import_duplicate_batch_id REFERENCES import_batch ON DELETE CASCADE,
            line integer NOT NULL,
            code text COLLATE "C" NOT NULL,
            digest text NOT NULL,
            given jsonb NOT NULL,
            candidates jsonb NOT NULL,
            state text NOT NULL DEFAULT 'open' CONSTRAINT ck_import_duplicate_state
                CHECK (state IN ('open', 'updated', 'registered', 'skipped')),
            tower_id uuid CONSTRAINT fk_import_duplicate_tower_id
                REFERENCES tower ON DELETE SET NULL,
            decided_by text,
            decided_at timestamptz,
            version integer NOT NULL DEFAULT 1,
            CONSTRAINT uq_import_duplicate_batch_id_line UNIQUE (batch_id, line),
            CONSTRAINT uq_import_duplicate_digest UNIQUE (digest)
        )
        """
    )
    op.execute("CREATE INDEX ix_import_duplicate_tower_id ON import_duplicate (tower_id)")
    op.execute(
        """
        CREATE TABLE import_mapping (
            name text CONSTRAINT pk_import_mapping PRIMARY KEY
                CONSTRAINT ck_import_mapping_name CHECK (length(btrim(name)) BETWEEN 1 AND 100),
            headers_digest text NOT NULL,
            mapping jsonb NOT NULL,
            actor text NOT NULL,
            saved_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_import_mapping_headers_digest ON import_mapping (headers_digest)")
    op.execute("ALTER TABLE audit_entry ADD COLUMN batch uuid")
    op.execute("CREATE INDEX ix_audit_entry_batch ON audit_entry (batch) WHERE batch IS NOT NULL")
    for key, value in SETTINGS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{value}')")  # noqa: S608
    op.execute(
        """
        CREATE FUNCTION towers_inside_envelope() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            box jsonb;
            outside text;
        BEGIN
            SELECT value INTO box FROM setting WHERE key = 'envelope';
            SELECT code INTO outside FROM added WHERE NOT (
                ST_X(geom) BETWEEN (box->>0)::float8 AND (box->>2)::float8
                AND ST_Y(geom) BETWEEN (box->>1)::float8 AND (box->>3)::float8
            ) LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'tower % lies outside the envelope of this deployment', outside
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_tower_envelope';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute("ALTER TABLE tower DROP CONSTRAINT fk_tower_structure_type")
    op.execute(
        f"ALTER TABLE tower ADD CONSTRAINT ck_tower_structure_type"
        f" CHECK (structure_type IN ({STRUCTURE_TYPES}))"
    )
    op.execute("DROP TRIGGER tower_envelope ON tower")
    op.execute(
        """
        CREATE TRIGGER tower_envelope_added AFTER INSERT ON tower
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION towers_inside_envelope()
        """
    )
    # What is no place on earth cannot even be projected.
    op.execute(
        """
        CREATE TRIGGER tower_on_earth BEFORE INSERT ON tower FOR EACH ROW
        WHEN (NOT (ST_X(NEW.geom) BETWEEN -180 AND 180 AND ST_Y(NEW.geom) BETWEEN -90 AND 90))
        EXECUTE FUNCTION tower_inside_envelope()
        """
    )
    op.execute(
        """
        CREATE TRIGGER tower_envelope_moved BEFORE UPDATE OF geom ON tower
        FOR EACH ROW EXECUTE FUNCTION tower_inside_envelope()
        """
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(TABLES)} TO "{role}"')


def downgrade() -> None:
    op.execute("ALTER TABLE tower DROP CONSTRAINT ck_tower_structure_type")
    op.execute(
        "ALTER TABLE tower ADD CONSTRAINT fk_tower_structure_type"
        " FOREIGN KEY (structure_type) REFERENCES structure_kind"
    )
    op.execute("DROP TRIGGER tower_envelope_moved ON tower")
    op.execute("DROP TRIGGER tower_on_earth ON tower")
    op.execute("DROP TRIGGER tower_envelope_added ON tower")
    op.execute("DROP FUNCTION towers_inside_envelope")
    op.execute(
        """
        CREATE TRIGGER tower_envelope BEFORE INSERT OR UPDATE OF geom ON tower
        FOR EACH ROW EXECUTE FUNCTION tower_inside_envelope()
        """
    )
    names = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({names})")  # noqa: S608
    op.execute("DROP INDEX ix_audit_entry_batch")
    op.execute("ALTER TABLE audit_entry DROP COLUMN batch")
    for table in ("import_mapping", "import_duplicate", "import_batch"):
        op.execute(f"DROP TABLE {table}")
