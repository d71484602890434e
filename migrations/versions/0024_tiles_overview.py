"""The grid of the tiles two levels finer, and its cells of all communes together."""

from __future__ import annotations

from alembic import context, op
from sqlalchemy import text

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# Farther than any place on earth but the poles, in metres.
END = 20037508
FACTS = "commune_id, lifecycle, condition, worst_severity, ok_until, next_deadline"
FORGET = "DELETE FROM tower_cell;"
FORGET_ALL = "DELETE FROM tower_cell; DELETE FROM tower_overview;"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tower_overview (
            level smallint NOT NULL, x integer NOT NULL, y integer NOT NULL,
            condition text NOT NULL, worst_severity text, overdue boolean NOT NULL,
            number integer NOT NULL, sum_x bigint NOT NULL, sum_y bigint NOT NULL
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_tower_overview ON tower_overview (level, x, y, condition,"
        " worst_severity, overdue) NULLS NOT DISTINCT"
    )
    _count_again(12, 14)
    _rewrite("truncate", FORGET, FORGET_ALL)
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON tower_overview TO "{role}"')


def downgrade() -> None:
    _rewrite("truncate", FORGET_ALL, FORGET)
    _count_again(14, 12)
    op.execute("DROP TABLE tower_overview")


def _rewrite(event: str, old: str, new: str) -> None:
    """Put `new` in the place of `old` in what the register's trigger does on an event."""
    name = f"tower_counted_{event}"
    definition = (
        op.get_bind().execute(text("SELECT pg_get_functiondef(to_regproc(:name))"), {"name": name})
    ).scalar_one()
    assert old in definition, name
    op.execute(definition.replace(old, new))


def _count_again(old: int, new: int) -> None:
    """Let the triggers count in cells of another level, and count the whole register anew."""
    op.execute("LOCK TABLE tower IN SHARE MODE")
    for event in ("insert", "update", "delete"):
        _rewrite(event, f"geom_3857), {old})", f"geom_3857), {new})")
    # The version of the tiles goes on, as their clients know it.
    op.execute("UPDATE tower_fold SET folded = folded + 1 + (SELECT count(*) FROM tower_change)")
    op.execute(f"DELETE FROM tower_change; DELETE FROM tower_day; {FORGET_ALL}")  # noqa: S608
    op.execute(
        f"""
        INSERT INTO tower_change (x, y, {FACTS}, number, sum_x, sum_y)
        SELECT x, y, {FACTS}, count(*), sum(east), sum(north)
        FROM (
            SELECT tile_at(ST_X(geom_3857), {new}) AS x, tile_at(-ST_Y(geom_3857), {new}) AS y,
                {FACTS},
                round(least(greatest(ST_X(geom_3857), -{END}), {END}) * 10)::bigint AS east,
                round(least(greatest(ST_Y(geom_3857), -{END}), {END}) * 10)::bigint AS north
            FROM tower
        ) AS counted
        GROUP BY x, y, {FACTS}
        """  # noqa: S608 - our own columns
    )
