"""For whom the file of a list was made: the digest of roles and territory of its reader.

Files of before have none: nobody gets them any more, and their lists are made anew.
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE export ADD COLUMN scope text")


def downgrade() -> None:
    op.execute("ALTER TABLE export DROP COLUMN scope")
