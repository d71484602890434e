"""An index of the changes that wait for the grid: it shrinks with them, which the table may not.

After the fold of a large import the table keeps its pages until nobody looks at older rows.
"""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_tower_change_place", "tower_change", ["x", "y"])


def downgrade() -> None:
    op.drop_index("ix_tower_change_place", "tower_change")
