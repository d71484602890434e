"""The migrations go up, down and up again, say what the models say, and grant what they should."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from geoalchemy2 import alembic_helpers
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex

import app as application  # noqa: F401 - every model is in the metadata once it is imported
from core import migrate
from core.cluster import ClusterUrls, PrivateCluster, programs
from core.model import Base
from tests.conftest import Note

# What happened, and who did it: only ever added.
EVIDENCE = (
    "audit_entry", "audit_seal", "submission", "violation_event", "photo", "document",
    "notice_document", "notice_reply", "notice_reply_file", "signature", "tower_merge",
    "organisation_merge", "tower_left_code", "receipt",
)  # fmt: skip


@pytest.fixture
def empty(cluster: PrivateCluster) -> Iterator[ClusterUrls]:
    """A database of its own without any table of ours."""
    name = f"migrations_{uuid.uuid4().hex[:12]}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def schema(url: str) -> str:
    """The whole schema with its grants, without what differs between two dumps alike."""
    dump = subprocess.run(
        [programs() / "pg_dump", "--schema-only", "--dbname", plain(url)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # A column that was replaced stands last: in which order columns stand is nobody's business.
    return "\n".join(
        sorted(
            line.rstrip(",")
            for line in dump.splitlines()
            if line and not re.match(r"--|\\(un)?restrict", line)
        )
    )


def revisions() -> list[str]:
    script = ScriptDirectory.from_config(migrate.config("", None))
    return [one.revision for one in reversed(list(script.walk_revisions()))]


def test_numbers_follow_each_other() -> None:
    assert revisions() == [f"{number:04d}" for number in range(1, len(revisions()) + 1)]


def test_up_down_and_up_again_is_equal(empty: ClusterUrls, figure: Note) -> None:
    urls = (empty.owner_url, empty.app_url)
    stages: dict[str, str] = {}
    for revision in revisions():
        migrate.upgrade(*urls, revision)
        stages[revision] = schema(empty.owner_url)
    assert len(set(stages.values())) == len(stages)
    assert migrate.is_current(empty.owner_url)
    differing = []
    for revision in reversed(revisions()[:-1]):
        migrate.downgrade(*urls, revision)
        if schema(empty.owner_url) != stages[revision]:
            differing.append(revision)
    figure("P10", "migrations up, down and up again", len(stages))
    figure("P10", "schemas that differ", len(differing), wrong=True)
    assert differing == []
    migrate.downgrade(*urls, "base")
    engine = create_engine(empty.owner_url)
    with engine.connect() as connection:
        left = set(
            connection.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).scalars()
        )
    engine.dispose()
    assert left <= {"alembic_version", "spatial_ref_sys"}
    migrate.upgrade(*urls)
    assert schema(empty.owner_url) == stages[revisions()[-1]]


def test_a_second_run_changes_nothing(database_urls: tuple[str, str]) -> None:
    owner, app_url = database_urls
    before = schema(owner)
    migrate.upgrade(owner, app_url)
    assert schema(owner) == before


def test_the_models_say_what_the_migrations_made(database_urls: tuple[str, str]) -> None:
    engine = create_engine(database_urls[0])

    def include(thing, name, kind, reflected, compare_to) -> bool:
        if kind == "table" and name in {"spatial_ref_sys", "alembic_version"}:
            return False
        if kind == "table" and name.startswith("procrastinate_"):
            return False
        return alembic_helpers.include_object(thing, name, kind, reflected, compare_to)

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": include,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        found = compare_metadata(context, Base.metadata)
        # The collation of an index column is not read back, so these are compared by their text.
        collated = {
            name: definition
            for name, definition in connection.execute(
                text("SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%COLLATE%'")
            )
        }
    engine.dispose()
    assert [
        one
        for one in found
        if not (one[0] in {"add_index", "remove_index"} and one[1].name in collated)
    ] == []
    for one in found:
        if one[0] == "add_index":
            made = str(CreateIndex(one[1]).compile(dialect=postgresql.dialect()))
            assert made.partition("(")[2] in collated[one[1].name], made


def test_every_check_of_the_models_is_in_the_database(database_urls: tuple[str, str]) -> None:
    """Autogeneration does not look at checks, so they are compared by name."""
    engine = create_engine(database_urls[0])
    with engine.connect() as connection:
        present = set(
            connection.execute(
                text(
                    "SELECT conrelid::regclass::text, conname FROM pg_constraint"
                    " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
                )
            ).all()
        )
    engine.dispose()
    modelled = {
        (f'"{table.name}"' if table.name == "user" else table.name, constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint" and constraint.name
    }
    assert {name for _, name in modelled} - {name for _, name in present} == set()


@pytest.fixture
def as_application(database_urls: tuple[str, str]) -> Iterator[psycopg.Connection]:
    """A plain connection of the application's role; nothing of it stays."""
    with psycopg.connect(plain(database_urls[1])) as connection:
        yield connection
        connection.rollback()


@pytest.mark.parametrize("table", EVIDENCE)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "DROP TABLE {table}",
        "ALTER TABLE {table} ADD COLUMN x integer",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "CREATE RULE x AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "COPY {table} TO PROGRAM 'true'",
    ],
)
def test_the_application_cannot_change_evidence(
    as_application: psycopg.Connection, table: str, statement: str
) -> None:
    column = "old_id" if table.endswith("_merge") else "id"
    if table == "tower_left_code":
        column = "old_code"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_application.execute(statement.format(table=table, column=column))


@pytest.mark.parametrize("table", EVIDENCE)
def test_the_application_reads_and_adds_evidence(
    as_application: psycopg.Connection, table: str
) -> None:
    as_application.execute(f"SELECT count(*) FROM {table}")
    (granted,) = as_application.execute(
        "SELECT array_agg(privilege_type::text ORDER BY privilege_type)"
        " FROM information_schema.role_table_grants WHERE table_name = %s"
        " AND grantee = current_user",
        [table],
    ).fetchone()
    # What an entry of the audit says of its own origin is not for the application to choose.
    assert granted == ["SELECT"] if table == "audit_entry" else ["INSERT", "SELECT"]


@pytest.mark.parametrize("column", ["id", "xid", "address", "via"])
def test_the_application_chooses_neither_number_nor_origin_of_an_entry(
    as_application: psycopg.Connection, column: str
) -> None:
    written = "INSERT INTO audit_entry (at, actor, action, kind, object_id{}) VALUES (now(), 'a'"
    as_application.execute(written.format("") + ", 'b', 'c', 'd')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_application.execute(written.format(f", {column}") + ", 'b', 'c', 'd', '1')")


def test_every_table_is_granted_what_the_list_says(as_application: psycopg.Connection) -> None:
    all_four = {"DELETE", "INSERT", "SELECT", "UPDATE"}
    rows = as_application.execute(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = current_user AND table_schema = 'public'"
    ).fetchall()
    granted: dict[str, set[str]] = {}
    for table, privilege in rows:
        granted.setdefault(table, set()).add(privilege)
    assert granted == {
        "access_token": all_four,
        "account_link": all_four,
        "alembic_version": {"SELECT"},
        "answer": all_four,
        "antenna": all_four,
        "area": all_four,
        "area_succession": all_four,
        "assignment": {"INSERT", "SELECT", "UPDATE"},
        # Beside this what an entry says may be inserted, by column.
        "audit_entry": {"SELECT"},
        "audit_seal": {"INSERT", "SELECT"},
        "back_test": all_four,
        "back_test_finding": all_four,
        "campaign": {"INSERT", "SELECT", "UPDATE"},
        "campaign_work": all_four,
        "checklist_version": all_four,
        "commune_change": {"DELETE", "INSERT", "SELECT"},
        "commune_figure": {"DELETE", "INSERT", "SELECT"},
        "declared_photo": all_four,
        "device": {"INSERT", "SELECT", "UPDATE"},
        # Beside these its tower and the marks of its removal may be updated, by column.
        "document": {"INSERT", "SELECT"},
        "export": all_four,
        "guy_anchor": all_four,
        "import_batch": all_four,
        "import_duplicate": all_four,
        "import_mapping": all_four,
        "inspection": all_four,
        "installation": all_four,
        "job_progress": all_four,
        "load_assessment": all_four,
        # A layer never changes: it is loaded anew and the old one removed.
        "map_feature": {"DELETE", "INSERT", "SELECT"},
        "map_layer": {"DELETE", "INSERT", "SELECT"},
        "notice": {"INSERT", "SELECT", "UPDATE"},
        "notice_document": {"INSERT", "SELECT"},
        "notice_item": all_four,
        "notice_link": {"INSERT", "SELECT", "UPDATE"},
        "notice_number": {"INSERT", "SELECT", "UPDATE"},
        "notice_reply": {"INSERT", "SELECT"},
        "notice_reply_file": {"INSERT", "SELECT"},
        "notice_template": {"INSERT", "SELECT", "UPDATE"},
        "organisation": all_four,
        "organisation_contact": all_four,
        "organisation_merge": {"INSERT", "SELECT"},
        "permit": all_four,
        "photo": {"INSERT", "SELECT"},
        "procrastinate_events": all_four,
        "procrastinate_jobs": all_four,
        "procrastinate_periodic_defers": all_four,
        "procrastinate_workers": all_four,
        "receipt": {"INSERT", "SELECT"},
        "reminder": all_four,
        # What phones brought is never thrown away.
        "review_item": {"INSERT", "SELECT", "UPDATE"},
        "role": {"SELECT"},
        "saved_list": all_four,
        "sign_in_failure": all_four,
        "signature": {"INSERT", "SELECT"},
        "setting": {"INSERT", "SELECT", "UPDATE"},
        "spatial_ref_sys": {"SELECT"},
        "structure_kind": {"SELECT", "UPDATE"},
        "submission": {"INSERT", "SELECT"},
        "tower": all_four,
        "tower_cell": all_four,
        "tower_change": {"DELETE", "INSERT", "SELECT"},
        "tower_day": all_four,
        "tower_due": all_four,
        "tower_overview": all_four,
        "tower_fold": {"SELECT", "UPDATE"},
        "tower_left_code": {"INSERT", "SELECT"},
        "tower_merge": {"INSERT", "SELECT"},
        "tower_past": {"DELETE", "INSERT", "SELECT"},
        "tower_proposal": {"INSERT", "SELECT", "UPDATE"},
        # Beside these its end may be updated.
        "tower_span": {"INSERT", "SELECT"},
        "tower_turn": all_four,
        "tower_word": {"INSERT", "SELECT"},
        "upload": all_four,
        "user": all_four,
        "user_role": all_four,
        "user_session": all_four,
        "user_territory": all_four,
        "violation": all_four,
        "violation_event": {"INSERT", "SELECT"},
    }


def test_the_application_owns_nothing_and_may_make_nothing(
    as_application: psycopg.Connection,
) -> None:
    owned = as_application.execute(
        "SELECT relname FROM pg_class WHERE relowner = current_user::regrole"
        " UNION ALL SELECT proname FROM pg_proc WHERE proowner = current_user::regrole"
        " UNION ALL SELECT datname FROM pg_database WHERE datdba = current_user::regrole"
        " UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = current_user::regrole"
    ).fetchall()
    assert owned == []
    (rights,) = as_application.execute(
        "SELECT ARRAY[rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls]"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert rights == [False] * 5
    for statement in (
        "CREATE TABLE x (y integer)",
        "CREATE SCHEMA x",
        "CREATE FUNCTION x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION file_fdw",
        "SELECT pg_read_file('/etc/passwd')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_application.execute(statement)
        as_application.rollback()


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO tower (code, name, structure_type, geom) VALUES"
         " ('A B', 'x', 'unknown', ST_SetSRID(ST_MakePoint(105, 10), 4326))", "ck_tower_code"),
        ("INSERT INTO tower (code, name, structure_type, geom) VALUES"
         " ('A', ' ', 'unknown', ST_SetSRID(ST_MakePoint(105, 10), 4326))", "ck_tower_name"),
        ("INSERT INTO tower (code, name, structure_type, geom) VALUES"
         " ('A', 'x', 'unknown', ST_SetSRID(ST_MakePoint(10, 45), 4326))", "ck_tower_envelope"),
        ("INSERT INTO tower (code, name, structure_type, height_m, geom) VALUES"
         " ('A', 'x', 'unknown', -3, ST_SetSRID(ST_MakePoint(105, 10), 4326))",
         "ck_tower_height_m"),
    ],
)  # fmt: skip
def test_the_database_refuses_what_must_never_be_true(
    as_application: psycopg.Connection, statement: str, constraint: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refusal:
        as_application.execute(statement)
    assert refusal.value.diag.constraint_name == constraint


@pytest.mark.parametrize("place", ["'NaN', 10", "105, 'Infinity'", "105, 90.1", "-180.1, 10"])
def test_no_envelope_lets_a_place_in_that_is_not_on_earth(
    as_application: psycopg.Connection, place: str
) -> None:
    as_application.execute(
        "UPDATE setting SET value = '[-180, -90, 180, 90]' WHERE key = 'envelope'"
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        as_application.execute(
            "INSERT INTO tower (code, name, structure_type, geom) VALUES"
            f" ('A', 'x', 'unknown', ST_SetSRID(ST_MakePoint({place}), 4326))"
        )
