"""What condition each tower had when, and how many stood where in which, for days that are over."""

# ruff: noqa: S608, E501 - our own tables; functions keep the lines that they had

from __future__ import annotations

from alembic import context, op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# The finest level of the grid, and farther than any place on earth but the poles, in metres.
FINEST = 14
END = 20037508
FACTS = "commune_id, lifecycle, condition, worst_severity, ok_until, next_deadline"
# What a span tells of its tower.
TOLD = f"{FACTS}, owner_id, structure_type, geom_3857"
KEY = "commune_id, lifecycle, condition, worst_severity, overdue"
TABLES = {
    "INSERT": "NEW TABLE AS added",
    "DELETE": "OLD TABLE AS removed",
    "UPDATE": "NEW TABLE AS added OLD TABLE AS removed",
}


def counted(table: str, number: int, at: str = "") -> str:
    """The rows of a table as the grid counts them, with the moment `at` where there is one."""
    return f"""
        SELECT {at and f"{at} AS at, "}tile_at(ST_X(geom_3857), {FINEST}) AS x, tile_at(-ST_Y(geom_3857), {FINEST}) AS y,
            {FACTS}, {number} AS number,
            {number} * round(least(greatest(ST_X(geom_3857), -{END}), {END}) * 10)::bigint AS sum_x,
            {number} * round(least(greatest(ST_Y(geom_3857), -{END}), {END}) * 10)::bigint AS sum_y
        FROM {table}
    """


def noted(rows: str, at: str = "") -> str:
    """Append the sum of counted rows where it is not nothing, as of a moment if one is given."""
    return f"""
        INSERT INTO tower_change ({at and "at, "}x, y, {FACTS}, number, sum_x, sum_y)
        SELECT {at and f"{at}, "}x, y, {FACTS}, sum(number), sum(sum_x), sum(sum_y) FROM ({rows}) AS counted
        GROUP BY {at and "1, "}x, y, {FACTS}
        HAVING sum(number) <> 0 OR sum(sum_x) <> 0 OR sum(sum_y) <> 0
    """


# Every statement leaves a row at least: their number is the version of what tiles show.
MARK = """
    INSERT INTO tower_change (x, y, lifecycle, condition, number, sum_x, sum_y)
    VALUES (0, 0, 'active', 'unchecked', 0, 0, 0)
"""


def spans(event: str) -> str:
    """End the spans of what changed, and begin new ones.

    What differs is found by EXCEPT, in one pass whatever the number of rows, and goes on as keys:
    the planner knows their number, which of the rows of a trigger it does not.
    """
    changed = {
        "INSERT": "",
        "DELETE": "SELECT id FROM removed",
        "UPDATE": f"SELECT id FROM (SELECT id, {TOLD} FROM added"
        f" EXCEPT SELECT id, {TOLD} FROM removed) AS changed",
    }[event]  # fmt: skip
    begun = f"""
                INSERT INTO tower_span (tower_id, since, {TOLD}) SELECT id, moment, {TOLD} FROM added"""
    if event == "INSERT":
        return f"{begun};"
    again = f"{begun} WHERE id = ANY (ids);" if event == "UPDATE" else ""
    return f"""
                ids := ARRAY({changed});
                IF cardinality(ids) = 0 THEN
                    RETURN NULL;
                END IF;
                UPDATE tower_span SET until = moment WHERE tower_id = ANY (ids) AND until IS NULL;
                {again}"""


def replace_triggers(*, history: bool) -> None:
    """The functions of the triggers on `tower`: with what the history needs, or as they were."""
    for event, tables in TABLES.items():
        rows = {
            "INSERT": counted("added", 1),
            "DELETE": counted("removed", -1),
            "UPDATE": f"{counted('added', 1)} UNION ALL {counted('removed', -1)}",
        }[event]
        name = f"tower_counted_{event.lower()}"
        seen = "removed" if event == "DELETE" else "added"
        op.execute(f"DROP TRIGGER {name} ON tower")
        op.execute(f"DROP FUNCTION {name}()")
        # One moment for grid and spans, so that they agree on the day; that of the statement,
        # since whoever waited for a tower writes it after the one who held it.
        head = """ LANGUAGE plpgsql
            SET plan_cache_mode = force_custom_plan AS $$
            DECLARE moment timestamptz := clock_timestamp(); ids uuid[];"""
        op.execute(
            f"""
            CREATE FUNCTION {name}() RETURNS trigger{head if history else " LANGUAGE plpgsql AS $$"}
            BEGIN
                {noted(rows, "moment" if history else "")};
                IF NOT FOUND AND EXISTS (SELECT FROM {seen}) THEN
                    {MARK};
                END IF;{spans(event) if history else ""}
                RETURN NULL;
            END $$
            """
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON tower REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION tower_counted_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE tower_fold SET folded = folded + 1 + (SELECT count(*) FROM tower_change);
            DELETE FROM tower_change;
            DELETE FROM tower_day;
            DELETE FROM tower_cell; DELETE FROM tower_overview;{" TRUNCATE tower_span, tower_turn, tower_past;" if history else ""}
            RETURN NULL;
        END $$
        """
    )


def upgrade() -> None:
    op.execute(
        "ALTER TABLE tower_change ADD COLUMN at timestamptz NOT NULL DEFAULT clock_timestamp()"
    )
    facts = """
        commune_id integer,
        lifecycle text NOT NULL,
        condition text NOT NULL,
        worst_severity text
    """
    sums = "number integer NOT NULL, sum_x bigint NOT NULL, sum_y bigint NOT NULL"
    # No reference to the tower: what the register knew on a day stays when it goes.
    op.execute(
        f"""
        CREATE TABLE tower_span (
            tower_id uuid NOT NULL,
            since timestamptz NOT NULL,
            until timestamptz,
            {facts},
            ok_until date,
            next_deadline date,
            owner_id uuid,
            structure_type text NOT NULL,
            geom_3857 geometry(Point, 3857) NOT NULL,
            retold boolean NOT NULL DEFAULT false
        )
        """
    )
    op.execute(
        f"INSERT INTO tower_span (tower_id, since, {TOLD}) SELECT id, now(), {TOLD} FROM tower"
    )
    op.execute("CREATE INDEX ix_tower_span_tower_id_since ON tower_span (tower_id, since)")
    op.execute("CREATE INDEX ix_tower_span_geom_3857 ON tower_span USING gist (geom_3857)")
    op.execute(
        "CREATE INDEX ix_tower_span_dangerous_since ON tower_span (since)"
        " WHERE condition = 'dangerous'"
    )
    op.execute("CREATE INDEX ix_tower_span_retold_until ON tower_span (until) WHERE retold")
    # What each day changed, what the calendar changes on days to come among it.
    op.execute(
        f"""
        CREATE TABLE tower_turn (day date NOT NULL, x integer NOT NULL, y integer NOT NULL,
            {facts}, overdue boolean NOT NULL, {sums})
        """
    )
    op.execute(
        f"CREATE UNIQUE INDEX uq_tower_turn ON tower_turn (day, x, y, {KEY}) NULLS NOT DISTINCT"
    )
    op.execute("CREATE INDEX ix_tower_turn_empty ON tower_turn (day) WHERE number = 0")
    # The sum of all of that at the end of some days, on every level.
    op.execute(
        f"""
        CREATE TABLE tower_past (day date NOT NULL, level smallint NOT NULL, x integer NOT NULL,
            y integer NOT NULL, {facts}, overdue boolean NOT NULL, {sums})
        """
    )
    op.execute("CREATE INDEX ix_tower_past_day_level_x_y ON tower_past (day, level, x, y)")
    # All that is known is of today: the worker folds it anew, into the days as well.
    op.execute("UPDATE tower_fold SET folded = folded + 1 + (SELECT count(*) FROM tower_change)")
    op.execute("TRUNCATE tower_change, tower_day, tower_cell, tower_overview")
    op.execute(noted(counted("tower", 1)))
    replace_triggers(history=True)
    # Spans that are over when they are written tell the past: they begin and end in the grid too.
    # Quarters of an hour belong to one day in every zone of the world.
    rows = " UNION ALL ".join(
        counted("added WHERE until IS NOT NULL", number, moment)
        for number, moment in ((1, "since"), (-1, "until"))
    )
    op.execute(
        f"""
        CREATE FUNCTION tower_span_counted() RETURNS trigger LANGUAGE plpgsql
        SET plan_cache_mode = force_custom_plan AS $$
        BEGIN
            IF EXISTS (SELECT FROM added WHERE until IS NOT NULL) THEN
                {noted(rows, "date_bin('15 minutes', at, '2000-01-01 00:00:00+00')")};
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER tower_span_counted AFTER INSERT ON tower_span REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION tower_span_counted()"
    )
    role = context.config.attributes.get("app_role")
    if role:
        # A span is only ever ended.
        op.execute(f'GRANT SELECT, INSERT, UPDATE (until) ON tower_span TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON tower_turn TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT, DELETE ON tower_past TO "{role}"')


def downgrade() -> None:
    replace_triggers(history=False)
    for table in ("tower_span", "tower_turn", "tower_past"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION tower_span_counted()")
    op.execute("ALTER TABLE tower_change DROP COLUMN at")
