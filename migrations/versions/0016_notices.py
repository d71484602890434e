"""Notices to owners: drafts, numbers, kept documents, templates, links and what owners answer."""

from __future__ import annotations

import json

from alembic import context, op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# In the order in which they can be dropped.
EVIDENCE = ("notice_reply_file", "notice_reply", "notice_document")
TABLES = ("notice_link", "notice_template", "notice_number", "notice_item", "notice")
# A department's own name and symbol are those of Đồng Tháp until it changes them.
SETTINGS = {
    "notice_two_people": True,
    "notice_link_days": 90,
    "notice_authority": "UBND TỈNH ĐỒNG THÁP",
    "notice_agency": "SỞ KHOA HỌC VÀ CÔNG NGHỆ",
    "notice_symbol": "TB-SKHCN",
    "notice_place": "Đồng Tháp",
}


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE notice (
            id uuid CONSTRAINT pk_notice PRIMARY KEY,
            body_hash bytea NOT NULL
                CONSTRAINT ck_notice_body_hash CHECK (length(body_hash) = 32),
            owner_id uuid NOT NULL CONSTRAINT fk_notice_owner_id REFERENCES organisation,
            state text NOT NULL DEFAULT 'draft' CONSTRAINT ck_notice_state
                CHECK (state IN ('draft', 'issued', 'withdrawn', 'discarded')),
            note text NOT NULL DEFAULT '',
            year smallint,
            number integer,
            reference text NOT NULL DEFAULT '',
            drafted_by_id uuid CONSTRAINT fk_notice_drafted_by_id REFERENCES "user",
            drafted_at timestamptz NOT NULL,
            issued_by_id uuid CONSTRAINT fk_notice_issued_by_id REFERENCES "user",
            issued_at timestamptz,
            issued_on date,
            served_on date,
            served_to text NOT NULL DEFAULT '',
            served_how text NOT NULL DEFAULT '',
            served_by_id uuid CONSTRAINT fk_notice_served_by_id REFERENCES "user",
            withdrawn_at timestamptz,
            withdrawn_by_id uuid CONSTRAINT fk_notice_withdrawn_by_id REFERENCES "user",
            withdrawn_reason text NOT NULL DEFAULT '',
            version integer NOT NULL DEFAULT 1,
            CONSTRAINT uq_notice_year_number UNIQUE (year, number),
            CONSTRAINT ck_notice_issued CHECK (
                (issued_at IS NULL) = (state IN ('draft', 'discarded'))
                AND (issued_at IS NULL) = (number IS NULL)
                AND (issued_at IS NULL) = (year IS NULL)
                AND (issued_at IS NULL) = (issued_on IS NULL)
            ),
            CONSTRAINT ck_notice_served CHECK ((served_on IS NULL) = (served_to = '')),
            CONSTRAINT ck_notice_served_issued
                CHECK (served_on IS NULL OR issued_at IS NOT NULL),
            CONSTRAINT ck_notice_withdrawn
                CHECK ((state = 'withdrawn') = (withdrawn_at IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX ix_notice_drafted_at_id ON notice (drafted_at, id)")
    op.execute("CREATE INDEX ix_notice_owner_id ON notice (owner_id)")
    op.execute(
        """
        CREATE TABLE notice_item (
            notice_id uuid CONSTRAINT fk_notice_item_notice_id REFERENCES notice,
            violation_id uuid CONSTRAINT fk_notice_item_violation_id REFERENCES violation,
            place smallint NOT NULL,
            CONSTRAINT pk_notice_item PRIMARY KEY (notice_id, violation_id)
        )
        """
    )
    op.execute("CREATE INDEX ix_notice_item_violation_id ON notice_item (violation_id)")
    op.execute(
        """
        CREATE TABLE notice_number (
            year smallint CONSTRAINT pk_notice_number PRIMARY KEY,
            last integer NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE notice_document (
            id uuid CONSTRAINT pk_notice_document PRIMARY KEY,
            notice_id uuid NOT NULL CONSTRAINT fk_notice_document_notice_id REFERENCES notice,
            form text NOT NULL CONSTRAINT ck_notice_document_form CHECK (form IN ('docx', 'pdf')),
            sha256 bytea NOT NULL
                CONSTRAINT ck_notice_document_sha256 CHECK (length(sha256) = 32),
            byte_size integer NOT NULL
                CONSTRAINT ck_notice_document_byte_size CHECK (byte_size > 0),
            CONSTRAINT uq_notice_document_notice_id_form UNIQUE (notice_id, form)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE notice_template (
            id uuid CONSTRAINT pk_notice_template PRIMARY KEY,
            filename text NOT NULL,
            sha256 bytea NOT NULL
                CONSTRAINT ck_notice_template_sha256 CHECK (length(sha256) = 32),
            byte_size integer NOT NULL,
            uploaded_at timestamptz NOT NULL,
            uploaded_by_id uuid
                CONSTRAINT fk_notice_template_uploaded_by_id REFERENCES "user",
            retired_at timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE notice_link (
            id uuid CONSTRAINT pk_notice_link PRIMARY KEY,
            notice_id uuid NOT NULL CONSTRAINT fk_notice_link_notice_id REFERENCES notice,
            hash bytea NOT NULL CONSTRAINT uq_notice_link_hash UNIQUE
                CONSTRAINT ck_notice_link_hash CHECK (length(hash) = 32),
            made_at timestamptz NOT NULL,
            made_by_id uuid CONSTRAINT fk_notice_link_made_by_id REFERENCES "user",
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz,
            revoked_by_id uuid CONSTRAINT fk_notice_link_revoked_by_id REFERENCES "user"
        )
        """
    )
    op.execute("CREATE INDEX ix_notice_link_notice_id ON notice_link (notice_id)")
    op.execute(
        """
        CREATE TABLE notice_reply (
            id uuid CONSTRAINT pk_notice_reply PRIMARY KEY,
            body_hash bytea NOT NULL
                CONSTRAINT ck_notice_reply_body_hash CHECK (length(body_hash) = 32),
            notice_id uuid NOT NULL CONSTRAINT fk_notice_reply_notice_id REFERENCES notice,
            link_id uuid NOT NULL CONSTRAINT fk_notice_reply_link_id REFERENCES notice_link,
            violation_id uuid NOT NULL
                CONSTRAINT fk_notice_reply_violation_id REFERENCES violation,
            event_id bigint NOT NULL
                CONSTRAINT fk_notice_reply_event_id REFERENCES violation_event,
            kind text NOT NULL
                CONSTRAINT ck_notice_reply_kind CHECK (kind IN ('claim', 'extension')),
            name text NOT NULL,
            text text NOT NULL,
            wanted_on date,
            received_at timestamptz NOT NULL,
            CONSTRAINT ck_notice_reply_wanted_on
                CHECK ((kind = 'extension') = (wanted_on IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX ix_notice_reply_notice_id ON notice_reply (notice_id)")
    op.execute("CREATE INDEX ix_notice_reply_violation_id ON notice_reply (violation_id)")
    op.execute(
        """
        CREATE TABLE notice_reply_file (
            id uuid CONSTRAINT pk_notice_reply_file PRIMARY KEY,
            reply_id uuid NOT NULL
                CONSTRAINT fk_notice_reply_file_reply_id REFERENCES notice_reply,
            place smallint NOT NULL,
            filename text NOT NULL,
            media_type text NOT NULL,
            byte_size integer NOT NULL
                CONSTRAINT ck_notice_reply_file_byte_size CHECK (byte_size > 0),
            sha256 bytea NOT NULL
                CONSTRAINT ck_notice_reply_file_sha256 CHECK (length(sha256) = 32),
            CONSTRAINT uq_notice_reply_file_reply_id_place UNIQUE (reply_id, place)
        )
        """
    )
    for key, value in SETTINGS.items():
        written = json.dumps(value, ensure_ascii=False)
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{written}')")  # noqa: S608
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE ON {", ".join(TABLES)} TO "{role}"')
        op.execute(f'GRANT DELETE ON notice_item TO "{role}"')
        op.execute(f'GRANT SELECT, INSERT ON {", ".join(EVIDENCE)} TO "{role}"')


def downgrade() -> None:
    for table in (*EVIDENCE, *TABLES):
        op.execute(f"DROP TABLE {table}")
    names = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({names})")  # noqa: S608
