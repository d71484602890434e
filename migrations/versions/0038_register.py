"""From when on an import doubts a move, and from when on two structures stand at one place.

`moved_metres`: a known tower that a list moves farther is doubted. `same_place_metres`: so near to
each other two structures are asked about whoever owns them; several masts on one roof are decided
once.
"""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0033"
branch_labels = None
depends_on = None

SETTINGS = {"moved_metres": 300, "same_place_metres": 10}


def upgrade() -> None:
    for key, value in SETTINGS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{value}')")  # noqa: S608


def downgrade() -> None:
    keys = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({keys})")  # noqa: S608
