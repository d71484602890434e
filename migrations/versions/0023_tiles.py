"""How many towers stand where in which condition, for the tiles of the map from afar."""

from __future__ import annotations

from alembic import context, op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# The cells of the grid are the tiles of this level and, summed, of those above it.
FINEST = 12
# Farther than any place on earth but the poles, in metres.
END = 20037508
TABLES = ("tower_change", "tower_day", "tower_cell", "tower_fold")
FACTS = "commune_id, lifecycle, condition, worst_severity, ok_until, next_deadline"


def counted(table: str, number: int) -> str:
    """The rows of a table as the grid counts them: their cell, their facts, their place.

    Places are whole decimetres of EPSG:3857, so that what is taken away leaves nothing behind.
    """
    return f"""
        SELECT tile_at(ST_X(geom_3857), {FINEST}) AS x, tile_at(-ST_Y(geom_3857), {FINEST}) AS y,
            {FACTS}, {number} AS number,
            {number} * round(least(greatest(ST_X(geom_3857), -{END}), {END}) * 10)::bigint AS sum_x,
            {number} * round(least(greatest(ST_Y(geom_3857), -{END}), {END}) * 10)::bigint AS sum_y
        FROM {table}
    """  # noqa: S608 - our own tables


def noted(rows: str) -> str:
    """Append the sum of counted rows where it is not nothing."""
    return f"""
        INSERT INTO tower_change (x, y, {FACTS}, number, sum_x, sum_y)
        SELECT x, y, {FACTS}, sum(number), sum(sum_x), sum(sum_y) FROM ({rows}) AS counted
        GROUP BY x, y, {FACTS}
        HAVING sum(number) <> 0 OR sum(sum_x) <> 0 OR sum(sum_y) <> 0
    """  # noqa: S608 - our own tables


# Every statement leaves a row at least: their number is the version of what tiles show.
MARK = """
    INSERT INTO tower_change (x, y, lifecycle, condition, number, sum_x, sum_y)
    VALUES (0, 0, 'active', 'unchecked', 0, 0, 0)
"""


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION tile_at(metres double precision, level integer) RETURNS integer
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN least(greatest(floor((metres + 20037508.342789244) / 40075016.685578488
            * (1 << level)), 0), (1 << level) - 1)::integer
        """
    )
    facts = """
        commune_id integer,
        lifecycle text NOT NULL,
        condition text NOT NULL,
        worst_severity text
    """
    days = "ok_until date, next_deadline date"
    sums = "number integer NOT NULL, sum_x bigint NOT NULL, sum_y bigint NOT NULL"
    # What statements have changed since the worker last folded: only ever added by writers, who
    # therefore never wait for one another.
    op.execute(
        f"""
        CREATE TABLE tower_change (x integer NOT NULL, y integer NOT NULL, {facts}, {days}, {sums})
        WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
        """
    )
    # What the calendar changes, by its days.
    op.execute(
        f"CREATE TABLE tower_day (x integer NOT NULL, y integer NOT NULL, {facts}, {days}, {sums})"
    )
    op.execute(f"CREATE UNIQUE INDEX uq_tower_day ON tower_day (x, y, {FACTS}) NULLS NOT DISTINCT")
    op.execute("CREATE INDEX ix_tower_day_ok_until ON tower_day (ok_until)")
    op.execute("CREATE INDEX ix_tower_day_next_deadline ON tower_day (next_deadline)")
    op.execute("CREATE INDEX ix_tower_day_empty ON tower_day (x) WHERE number = 0")
    # The cells of every level as they stand on the day of `tower_fold`.
    op.execute(
        f"""
        CREATE TABLE tower_cell (level smallint NOT NULL, x integer NOT NULL, y integer NOT NULL,
            {facts}, overdue boolean NOT NULL, {sums})
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_tower_cell ON tower_cell (level, x, y, commune_id, lifecycle,"
        " condition, worst_severity, overdue) NULLS NOT DISTINCT"
    )
    op.execute(
        """
        CREATE TABLE tower_fold (
            one boolean CONSTRAINT pk_tower_fold PRIMARY KEY DEFAULT true
                CONSTRAINT ck_tower_fold_one CHECK (one),
            day date NOT NULL,
            folded bigint NOT NULL
        )
        """
    )
    op.execute("INSERT INTO tower_fold (day, folded) VALUES (CURRENT_DATE, 0)")
    op.execute(noted(counted("tower", 1)))
    for event, rows in {
        "INSERT": counted("added", 1),
        "DELETE": counted("removed", -1),
        "UPDATE": f"{counted('added', 1)} UNION ALL {counted('removed', -1)}",
    }.items():
        tables = {
            "INSERT": "NEW TABLE AS added",
            "DELETE": "OLD TABLE AS removed",
            "UPDATE": "NEW TABLE AS added OLD TABLE AS removed",
        }[event]
        name = f"tower_counted_{event.lower()}"
        seen = "removed" if event == "DELETE" else "added"
        op.execute(
            f"""
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                {noted(rows)};
                IF NOT FOUND AND EXISTS (SELECT FROM {seen}) THEN
                    {MARK};
                END IF;
                RETURN NULL;
            END $$
            """
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON tower REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    op.execute(
        """
        CREATE FUNCTION tower_counted_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE tower_fold SET folded = folded + 1 + (SELECT count(*) FROM tower_change);
            DELETE FROM tower_change;
            DELETE FROM tower_day;
            DELETE FROM tower_cell;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER tower_counted_truncate AFTER TRUNCATE ON tower"
        " FOR EACH STATEMENT EXECUTE FUNCTION tower_counted_truncate()"
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, DELETE ON tower_change TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON tower_day, tower_cell TO "{role}"')
        op.execute(f'GRANT SELECT, UPDATE ON tower_fold TO "{role}"')


def downgrade() -> None:
    for event in ("truncate", "update", "delete", "insert"):
        op.execute(f"DROP TRIGGER tower_counted_{event} ON tower")
        op.execute(f"DROP FUNCTION tower_counted_{event}()")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION tile_at(double precision, integer)")
