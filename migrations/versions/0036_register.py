"""The codes that towers left, and two distances of imports.

A code that a tower left leads to it, as that of a merged tower does: a sign with it still hangs at
the site. `moved_metres`: a known tower that a list moves farther is doubted. `same_place_metres`:
so near to each other two structures are asked about whoever owns them; several masts on one roof
are decided once.
"""

from __future__ import annotations

from alembic import context, op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

SETTINGS = {"moved_metres": 300, "same_place_metres": 10}


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tower_left_code (
            old_code text COLLATE "C" NOT NULL,
            tower_id uuid NOT NULL,
            at timestamptz NOT NULL,
            by_id uuid CONSTRAINT fk_tower_left_code_by_id REFERENCES "user",
            CONSTRAINT pk_tower_left_code PRIMARY KEY (old_code, tower_id, at)
        )
        """
    )
    for key, value in SETTINGS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{value}')")  # noqa: S608
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT ON tower_left_code TO "{role}"')


def downgrade() -> None:
    keys = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({keys})")  # noqa: S608
    op.execute("DROP TABLE tower_left_code")
