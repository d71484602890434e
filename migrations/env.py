"""Run the numbered revisions: one at a time, each whole or not at all."""

from __future__ import annotations

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlalchemy import create_engine, text

from core.model import Base

# One number for "somebody migrates this database", so that two migrators take turns.
MIGRATION_LOCK = 7_210_416

config = context.config


def include_object(thing, name, kind, reflected, compare_to):
    """Leave PostGIS's own tables alone."""
    if kind == "table" and reflected and compare_to is None and name == "spatial_ref_sys":
        return False
    return alembic_helpers.include_object(thing, name, kind, reflected, compare_to)


def run(connection) -> None:
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text("SET statement_timeout = '15min'"))
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_object=include_object,
            process_revision_directives=alembic_helpers.writer,
            render_item=alembic_helpers.render_item,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()


given = config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = create_engine(config.get_main_option("sqlalchemy.url") or "")
    with engine.connect() as connection:
        run(connection)
    engine.dispose()
