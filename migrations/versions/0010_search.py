"""One box over the register: words of towers without marks, and an index for every order."""

from __future__ import annotations

from alembic import context, op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


ORDERS = ("next_deadline", "height_m", "last_inspected_on", "updated_at")
# Words that a slip of a key can turn into another; numbers are no such words.
WORDS = """
    INSERT INTO tower_word (form)
    SELECT DISTINCT word FROM {rows}, string_to_table(btrim({rows}.search), ' ') AS word
    WHERE word ~ '^[[:alpha:]]{{2,}}$'
        AND NOT EXISTS (SELECT FROM tower_word AS known WHERE known.form = word)
"""
RENAMED = """
    WITH renamed AS MATERIALIZED (
        SELECT w.search FROM written w JOIN replaced r USING (id) WHERE w.search <> r.search
    )
"""


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION search_words(value text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN ' ' || btrim(regexp_replace(search_form(value), '[^[:alnum:]]+', ' ', 'g')) || ' '
        """
    )
    # What is typed without its hyphen is found as well: DT00077.
    op.execute("ALTER TABLE tower DROP COLUMN search")
    op.execute(
        """
        ALTER TABLE tower ADD COLUMN search text NOT NULL GENERATED ALWAYS AS (
            search_words(code || ' ' || name || ' ' || address || ' ' || former_commune || ' '
                || former_district || ' ' || regexp_replace(code, '[^[:alnum:]]+', '', 'g'))
        ) STORED
        """
    )
    op.execute("CREATE INDEX ix_tower_search ON tower USING gin (search gin_trgm_ops)")
    # How rare a word is decides the plan, and a hundred samples do not know one tower in a hundred.
    op.execute("ALTER TABLE tower ALTER COLUMN search SET STATISTICS 1000")
    for table in ("organisation", "area"):
        op.execute(
            f"CREATE INDEX ix_{table}_search ON {table} USING gin (search_words(name) gin_trgm_ops)"
        )
    op.execute("CREATE INDEX ix_tower_code_form ON tower (search_form(code))")
    op.execute("DROP INDEX ix_tower_next_deadline")
    for column in ORDERS:
        op.execute(f"CREATE INDEX ix_tower_{column}_code ON tower ({column}, code)")
    # The words of all towers, from which a search that finds nothing takes what is written nearly
    # so. No key: writers that meet in a word would wait for one another, and a word that stands
    # here twice does no harm.
    op.execute("CREATE TABLE tower_word (form text NOT NULL)")
    op.execute("CREATE INDEX ix_tower_word_form ON tower_word (form)")
    op.execute(WORDS.format(rows="tower"))
    op.execute(
        f"""
        CREATE FUNCTION tower_words_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {WORDS.format(rows="written")};
            RETURN NULL;
        END $$
        """
    )
    # Conditions and deadlines are written more often than names.
    op.execute(
        f"""
        CREATE FUNCTION tower_words_updated() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {RENAMED}
            {WORDS.format(rows="renamed")};
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER tower_words_inserted AFTER INSERT ON tower
        REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION tower_words_inserted()
        """
    )
    op.execute(
        """
        CREATE TRIGGER tower_words_updated AFTER UPDATE ON tower
        REFERENCING OLD TABLE AS replaced NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION tower_words_updated()
        """
    )
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT ON tower_word TO "{role}"')


def downgrade() -> None:
    op.execute("DROP TRIGGER tower_words_updated ON tower")
    op.execute("DROP TRIGGER tower_words_inserted ON tower")
    op.execute("DROP FUNCTION tower_words_updated")
    op.execute("DROP FUNCTION tower_words_inserted")
    op.execute("DROP TABLE tower_word")
    for column in ORDERS:
        op.execute(f"DROP INDEX ix_tower_{column}_code")
    op.execute(
        "CREATE INDEX ix_tower_next_deadline ON tower (next_deadline)"
        " WHERE next_deadline IS NOT NULL"
    )
    op.execute("DROP INDEX ix_tower_code_form")
    op.execute("ALTER TABLE tower DROP COLUMN search")
    op.execute(
        "ALTER TABLE tower ADD COLUMN search text NOT NULL"
        " GENERATED ALWAYS AS (search_form(code || ' ' || name)) STORED"
    )
    op.execute("CREATE INDEX ix_tower_search ON tower USING gin (search gin_trgm_ops)")
    op.execute("DROP INDEX ix_area_search")
    op.execute("DROP INDEX ix_organisation_search")
    op.execute("DROP FUNCTION search_words")
