"""Areas in time: districts of the past, validity that never overlaps, who became whom."""

from __future__ import annotations

from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A trusted extension: the owner of the database may make it.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute("ALTER TABLE area DROP CONSTRAINT ck_area_level")
    op.execute(
        "ALTER TABLE area ADD CONSTRAINT ck_area_level"
        " CHECK (level IN ('province', 'district', 'commune'))"
    )
    # Of an area of the past nobody may know since when it was there.
    op.execute("ALTER TABLE area ALTER COLUMN valid_from DROP NOT NULL")
    op.execute(
        "ALTER TABLE area ADD CONSTRAINT ck_area_validity CHECK"
        " (valid_to >= valid_from AND (valid_from IS NOT NULL OR valid_to IS NOT NULL))"
    )
    op.execute(
        """
        ALTER TABLE area ADD CONSTRAINT ex_area_level_code_validity EXCLUDE USING gist
            (level WITH =, code WITH =, daterange(valid_from, valid_to, '[]') WITH &&)
        """
    )
    op.execute("CREATE INDEX ix_area_code ON area (code)")
    op.execute(
        """
        CREATE TABLE area_succession (
            old_id integer CONSTRAINT fk_area_succession_old_id REFERENCES area,
            new_id integer CONSTRAINT fk_area_succession_new_id REFERENCES area,
            whole boolean NOT NULL,
            main boolean NOT NULL,
            CONSTRAINT pk_area_succession PRIMARY KEY (old_id, new_id),
            CONSTRAINT ck_area_succession_two CHECK (old_id <> new_id)
        )
        """
    )
    op.execute("CREATE INDEX ix_area_succession_new_id ON area_succession (new_id)")
    op.execute("CREATE UNIQUE INDEX uq_area_succession_main ON area_succession (old_id) WHERE main")
    op.execute("INSERT INTO setting (key, value) VALUES ('nearest_commune_m', '5000')")
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON area_succession TO "{role}"')


def downgrade() -> None:
    op.execute("DELETE FROM setting WHERE key = 'nearest_commune_m'")
    op.execute("DROP TABLE area_succession")
    op.execute("DROP INDEX ix_area_code")
    op.execute("ALTER TABLE area DROP CONSTRAINT ex_area_level_code_validity")
    op.execute("ALTER TABLE area DROP CONSTRAINT ck_area_validity")
    # The older schema knows no districts and no area without a beginning.
    op.execute(
        "UPDATE tower SET former_commune_id = NULL WHERE former_commune_id IN"
        " (SELECT id FROM area WHERE level = 'district' OR valid_from IS NULL)"
    )
    op.execute(
        "DELETE FROM user_territory WHERE area_id IN"
        " (SELECT id FROM area WHERE level = 'district' OR valid_from IS NULL)"
    )
    op.execute(
        "UPDATE area SET parent_id = NULL WHERE parent_id IN"
        " (SELECT id FROM area WHERE level = 'district' OR valid_from IS NULL)"
    )
    op.execute("DELETE FROM area WHERE level = 'district' OR valid_from IS NULL")
    op.execute("ALTER TABLE area ALTER COLUMN valid_from SET NOT NULL")
    op.execute("ALTER TABLE area DROP CONSTRAINT ck_area_level")
    op.execute(
        "ALTER TABLE area ADD CONSTRAINT ck_area_level CHECK (level IN ('province', 'commune'))"
    )
