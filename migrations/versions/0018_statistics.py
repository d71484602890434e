"""From how many on the statistics show a percentage."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# `statistics_least`: of fewer towers or violations than this the statistics show the count alone,
#   since one more or less would change a percentage by ten points: a proposal.


def upgrade() -> None:
    op.execute("INSERT INTO setting (key, value) VALUES ('statistics_least', '10')")


def downgrade() -> None:
    op.execute("DELETE FROM setting WHERE key = 'statistics_least'")
