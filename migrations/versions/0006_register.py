"""All fields of the register: people, papers, foundations, guys, installations, permits."""

from __future__ import annotations

from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ORGANISATION = """
    ADD COLUMN tax_code text NOT NULL DEFAULT '',
    ADD COLUMN responsible_person text NOT NULL DEFAULT '',
    ADD COLUMN responsible_phone text NOT NULL DEFAULT '',
    ADD COLUMN responsible_email text NOT NULL DEFAULT ''
"""
# name, type with default, check or reference
TOWER = (
    ("planning_class", "text", "CHECK (planning_class IN ('A1a', 'A1b', 'A2a', 'A2b', 'A2c'))"),
    ("bts_category", "text", "CHECK (bts_category IN ('1', '2'))"),
    ("lifecycle_since", "date", ""),
    (
        "managing_department",
        "text",
        "CHECK (managing_department IN"
        " ('science_technology', 'culture_sports_tourism', 'commune', 'other'))",
    ),
    ("hardened", "boolean", ""),
    ("manager_id", "uuid", "REFERENCES organisation"),
    ("landowner", "text NOT NULL DEFAULT ''", ""),
    ("landowner_phone", "text NOT NULL DEFAULT ''", ""),
    ("land_contract_end", "date", ""),
    ("source_srid", "integer", "CHECK (source_srid BETWEEN 1 AND 999999)"),
    ("source_x", "double precision", ""),
    ("source_y", "double precision", ""),
    (
        "coord_source",
        "text",
        "CHECK (coord_source IN ('gps', 'survey', 'dossier', 'map', 'other'))",
    ),
    ("coord_accuracy_m", "numeric(8, 1)", "CHECK (coord_accuracy_m BETWEEN 0 AND 100000)"),
    ("commune_distance_m", "numeric(8, 1)", "CHECK (commune_distance_m >= 0)"),
    ("former_commune_id", "integer", "REFERENCES area"),
    ("former_commune", "text NOT NULL DEFAULT ''", ""),
    ("former_district", "text NOT NULL DEFAULT ''", ""),
    ("elevation_m", "numeric(6, 1)", "CHECK (elevation_m BETWEEN -500 AND 9000)"),
    ("footprint", "geometry(Polygon, 4326)", "CHECK (ST_IsValid(footprint))"),
    ("host_building_use", "text NOT NULL DEFAULT ''", ""),
    ("host_building_floors", "smallint", "CHECK (host_building_floors BETWEEN 1 AND 200)"),
    ("base_width_m", "numeric(5, 2)", "CHECK (base_width_m > 0 AND base_width_m <= 100)"),
    (
        "foundation_type",
        "text",
        "CHECK (foundation_type IN ('pad', 'pile', 'pier', 'raft', 'roof_beam', 'roof_slab',"
        " 'other'))",
    ),
    ("guy_levels", "smallint", "CHECK (guy_levels BETWEEN 0 AND 50)"),
    ("anchor_count", "smallint", "CHECK (anchor_count BETWEEN 0 AND 100)"),
    ("anchor_radius_m", "numeric(6, 1)", "CHECK (anchor_radius_m > 0 AND anchor_radius_m <= 1000)"),
    ("design_standard", "text NOT NULL DEFAULT ''", ""),
    (
        "design_wind_kn_m2",
        "numeric(4, 2)",
        "CHECK (design_wind_kn_m2 > 0 AND design_wind_kn_m2 <= 10)",
    ),
    ("last_reinforced_on", "date", ""),
    ("obstruction_light", "boolean", ""),
)
TABLES = ("guy_anchor", "installation", "antenna", "permit")


def upgrade() -> None:
    op.execute(f"ALTER TABLE organisation {ORGANISATION}")
    for name, type_, rule in TOWER:
        kind = "fk" if rule.startswith("REFERENCES") else "ck"
        constraint = f"CONSTRAINT {kind}_tower_{name} {rule}" if rule else ""
        op.execute(f"ALTER TABLE tower ADD COLUMN {name} {type_} {constraint}")
    op.execute(
        """
        ALTER TABLE tower ADD CONSTRAINT ck_tower_source_position CHECK (
            (source_x IS NULL) = (source_y IS NULL)
            AND abs(coalesce(source_x, 0)) < 'Infinity' AND abs(coalesce(source_y, 0)) < 'Infinity'
        )
        """
    )
    op.execute("CREATE INDEX ix_tower_manager_id_code ON tower (manager_id, code)")
    op.execute(
        """
        CREATE TABLE guy_anchor (
            id uuid CONSTRAINT pk_guy_anchor PRIMARY KEY,
            tower_id uuid NOT NULL CONSTRAINT fk_guy_anchor_tower_id REFERENCES tower,
            number smallint NOT NULL CONSTRAINT ck_guy_anchor_number
                CHECK (number BETWEEN 1 AND 100),
            geom geometry(Point, 4326) NOT NULL CONSTRAINT ck_guy_anchor_finite
                CHECK (ST_X(geom) BETWEEN -180 AND 180 AND ST_Y(geom) BETWEEN -90 AND 90),
            note text NOT NULL DEFAULT '',
            CONSTRAINT uq_guy_anchor_tower_id_number UNIQUE (tower_id, number)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE installation (
            id uuid CONSTRAINT pk_installation PRIMARY KEY,
            tower_id uuid NOT NULL CONSTRAINT fk_installation_tower_id REFERENCES tower,
            operator_id uuid NOT NULL
                CONSTRAINT fk_installation_operator_id REFERENCES organisation,
            service text NOT NULL CONSTRAINT ck_installation_service CHECK (service IN
                ('bts', 'radio_tv', 'commune_loudspeaker', 'microwave', 'other')),
            station_code text NOT NULL DEFAULT '',
            since date,
            until date,
            note text NOT NULL DEFAULT '',
            CONSTRAINT ck_installation_period CHECK (until >= since)
        )
        """
    )
    op.execute("CREATE INDEX ix_installation_tower_id ON installation (tower_id)")
    op.execute("CREATE INDEX ix_installation_operator_id ON installation (operator_id)")
    op.execute(
        """
        CREATE TABLE antenna (
            id uuid CONSTRAINT pk_antenna PRIMARY KEY,
            installation_id uuid NOT NULL CONSTRAINT fk_antenna_installation_id
                REFERENCES installation ON DELETE CASCADE,
            kind text NOT NULL DEFAULT '',
            quantity smallint NOT NULL DEFAULT 1 CONSTRAINT ck_antenna_quantity
                CHECK (quantity BETWEEN 1 AND 1000),
            height_m numeric(6, 1) CONSTRAINT ck_antenna_height_m
                CHECK (height_m >= 0 AND height_m <= 1000),
            azimuth_deg numeric(4, 1) CONSTRAINT ck_antenna_azimuth_deg
                CHECK (azimuth_deg >= 0 AND azimuth_deg < 360),
            wind_area_m2 numeric(7, 2) CONSTRAINT ck_antenna_wind_area_m2
                CHECK (wind_area_m2 >= 0 AND wind_area_m2 <= 10000),
            weight_kg numeric(7, 1) CONSTRAINT ck_antenna_weight_kg
                CHECK (weight_kg >= 0 AND weight_kg <= 100000)
        )
        """
    )
    op.execute("CREATE INDEX ix_antenna_installation_id ON antenna (installation_id)")
    op.execute(
        """
        CREATE TABLE permit (
            id uuid CONSTRAINT pk_permit PRIMARY KEY,
            tower_id uuid NOT NULL CONSTRAINT fk_permit_tower_id REFERENCES tower,
            kind text NOT NULL CONSTRAINT ck_permit_kind CHECK (kind IN
                ('building_permit', 'height_approval', 'bts_certificate', 'emf_result',
                 'maintenance_procedure', 'structural_assessment', 'other')),
            number text NOT NULL DEFAULT '',
            issued_on date,
            expires_on date,
            issuer text NOT NULL DEFAULT '',
            organisation_id uuid CONSTRAINT fk_permit_organisation_id REFERENCES organisation,
            result text NOT NULL DEFAULT '',
            note text NOT NULL DEFAULT '',
            CONSTRAINT ck_permit_period CHECK (expires_on >= issued_on)
        )
        """
    )
    op.execute("CREATE INDEX ix_permit_tower_id ON permit (tower_id)")
    op.execute("CREATE INDEX ix_permit_organisation_id ON permit (organisation_id)")
    op.execute("CREATE INDEX ix_permit_expires_on ON permit (expires_on, id)")
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(TABLES)} TO "{role}"')


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE tower DROP CONSTRAINT ck_tower_source_position")
    for name, _type, _rule in reversed(TOWER):
        op.execute(f"ALTER TABLE tower DROP COLUMN {name}")
    for line in ORGANISATION.strip().splitlines():
        name = line.split()[2]
        op.execute(f"ALTER TABLE organisation DROP COLUMN {name}")
