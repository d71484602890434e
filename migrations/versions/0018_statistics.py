"""From how many on the statistics show a percentage; violations by the day of their closure."""

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
    # What was closed in a period is a small part of all that ever was.
    op.execute(
        "CREATE INDEX ix_violation_closed_ended_on ON violation (ended_on) WHERE state = 'closed'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_violation_closed_ended_on")
    op.execute("DELETE FROM setting WHERE key = 'statistics_least'")
