"""The figures of communes on the map, kept until something changes; when inspections are due."""

from __future__ import annotations

from alembic import context, op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# `inspection_soon_days`: towers whose interval ends within so many days are shown as due: a
#   proposal, about the time that a campaign needs to be planned.

# What counts in the figures, and how its rows name the communes that they change.
COMMUNES = {
    "tower": "SELECT commune_id FROM {rows}",
    "violation": "SELECT commune_id FROM tower WHERE id IN (SELECT tower_id FROM {rows})",
    "inspection": "SELECT commune_id FROM tower WHERE id IN (SELECT tower_id FROM {rows})",
}
ROWS = {"INSERT": ("added",), "DELETE": ("removed",), "UPDATE": ("added", "removed")}
TABLES = {"added": "NEW TABLE AS added", "removed": "OLD TABLE AS removed"}
# Where everything may have changed: the communes that have figures, the others have marks.
EVERY = "SELECT commune_id FROM commune_figure"
MARK = """
    INSERT INTO tower_change (x, y, lifecycle, condition, number, sum_x, sum_y)
    VALUES (0, 0, 'active', 'unchecked', 0, 0, 0)
"""
FIGURES = ("towers", "inspected", "open", "critical", "overdue")


def noted(communes: str) -> str:
    return f"INSERT INTO commune_change (commune_id) {communes}"


def trigger(name: str, event: str, table: str, body: str, referencing: str = "") -> None:
    op.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {body};
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} {referencing}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def upgrade() -> None:
    op.execute("INSERT INTO setting (key, value) VALUES ('inspection_soon_days', '90')")
    # Communes whose figures are no longer those that are kept: only ever added by writers, who
    # therefore never wait for one another. Without a number: the towers outside all communes.
    op.execute(
        """
        CREATE TABLE commune_change (commune_id integer)
        WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
        """
    )
    op.execute(
        f"""
        CREATE TABLE commune_figure (commune_id integer, day date NOT NULL,
            {", ".join(f"{name} integer NOT NULL" for name in FIGURES)})
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_commune_figure ON commune_figure (commune_id) NULLS NOT DISTINCT"
    )
    op.execute(noted("SELECT DISTINCT commune_id FROM tower"))
    for table, communes in COMMUNES.items():
        for event, names in ROWS.items():
            changed = " UNION ".join(communes.format(rows=name) for name in names)
            distinct = f"SELECT DISTINCT commune_id FROM ({changed}) AS changed"  # noqa: S608
            trigger(
                f"{table}_figures_{event.lower()}",
                event,
                table,
                noted(distinct),
                "REFERENCING " + " ".join(TABLES[name] for name in names),
            )
        trigger(f"{table}_figures_truncate", "TRUNCATE", table, noted(EVERY))
    # Which towers are due follows from the intervals, too: the tiles get a new version.
    trigger("structure_kind_figures", "UPDATE", "structure_kind", f"{noted(EVERY)}; {MARK}")
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, DELETE ON commune_change, commune_figure TO "{role}"')


def downgrade() -> None:
    op.execute("DROP TRIGGER structure_kind_figures ON structure_kind")
    op.execute("DROP FUNCTION structure_kind_figures()")
    for table in COMMUNES:
        for event in (*ROWS, "TRUNCATE"):
            name = f"{table}_figures_{event.lower()}"
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP TABLE commune_figure")
    op.execute("DROP TABLE commune_change")
    op.execute("DELETE FROM setting WHERE key = 'inspection_soon_days'")
