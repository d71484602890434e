"""The grid of the tiles by deadlines, of all communes together: what is due within some days."""

from __future__ import annotations

from alembic import context, op
from sqlalchemy import text

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

FORGET = "DELETE FROM tower_overview;"
FORGET_DUE = "DELETE FROM tower_overview; DELETE FROM tower_due;"
KEY = "level, next_deadline, x, y, condition, worst_severity, ok_until"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tower_due (
            level smallint NOT NULL, next_deadline date NOT NULL,
            x integer NOT NULL, y integer NOT NULL,
            condition text NOT NULL, worst_severity text, ok_until date,
            number integer NOT NULL, sum_x bigint NOT NULL, sum_y bigint NOT NULL
        )
        """
    )
    op.execute(f"CREATE UNIQUE INDEX uq_tower_due ON tower_due ({KEY}) NULLS NOT DISTINCT")
    # What was folded before; whoever folds meanwhile waits for the lock.
    op.execute("LOCK TABLE tower_day IN SHARE MODE")
    op.execute(
        f"""
        INSERT INTO tower_due ({KEY}, number, sum_x, sum_y)
        SELECT level, next_deadline, x >> (14 - level), y >> (14 - level), condition,
            worst_severity, CASE WHEN condition = 'ok' THEN ok_until END,
            sum(number), sum(sum_x), sum(sum_y)
        FROM tower_day, generate_series(2, 14) AS level
        WHERE next_deadline IS NOT NULL AND lifecycle <> 'dismantled'
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING sum(number) <> 0
        """  # noqa: S608 - our own columns
    )
    _rewrite(FORGET, FORGET_DUE)
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON tower_due TO "{role}"')


def downgrade() -> None:
    _rewrite(FORGET_DUE, FORGET)
    op.execute("DROP TABLE tower_due")


def _rewrite(old: str, new: str) -> None:
    """Put `new` in the place of `old` in what the register's trigger does when it is emptied."""
    asked = text("SELECT pg_get_functiondef(to_regproc('tower_counted_truncate'))")
    definition = op.get_bind().execute(asked).scalar_one()
    assert old in definition
    op.execute(definition.replace(old, new))
