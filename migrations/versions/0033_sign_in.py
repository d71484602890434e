"""Sessions that can be seen and ended, one-time links, failed attempts, settings of sign-in."""

from __future__ import annotations

import json
from typing import Any

from alembic import context, op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

TABLES = ("user_session", "account_link", "sign_in_failure")
SETTINGS: dict[str, Any] = {
    "invitation_days": 7,
    "openid_claim": "",
    "openid_roles": {},
    "password_length": 15,
    "password_length_two_factor": 8,
    "required_second_factor": ["admin", "staff"],
    "reset_link_minutes": 60,
    "session_days": 30,
    "session_hours": 12,
    "sign_in_wait_minutes": 15,
    "view_as_minutes": 15,
}


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE "user"
            ADD COLUMN tf_last_counter bigint,
            ADD COLUMN openid_subject text CONSTRAINT uq_user_openid_subject UNIQUE
        """
    )
    op.execute(
        """
        CREATE TABLE user_session (
            id uuid CONSTRAINT pk_user_session PRIMARY KEY,
            user_id uuid NOT NULL CONSTRAINT fk_user_session_user_id REFERENCES "user",
            way text NOT NULL CONSTRAINT ck_user_session_way
                CHECK (way IN ('password', 'second_factor', 'openid')),
            lasting boolean NOT NULL,
            address text NOT NULL DEFAULT '',
            agent text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL,
            seen_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            ended_at timestamptz,
            viewing_id uuid CONSTRAINT fk_user_session_viewing_id REFERENCES "user",
            viewing_until timestamptz,
            CONSTRAINT ck_user_session_viewing
                CHECK ((viewing_id IS NULL) = (viewing_until IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX ix_user_session_user_id ON user_session (user_id, seen_at)")
    op.execute(
        """
        CREATE TABLE account_link (
            id uuid CONSTRAINT pk_account_link PRIMARY KEY,
            user_id uuid NOT NULL CONSTRAINT fk_account_link_user_id REFERENCES "user",
            kind text NOT NULL CONSTRAINT ck_account_link_kind
                CHECK (kind IN ('invitation', 'reset')),
            hash bytea NOT NULL CONSTRAINT uq_account_link_hash UNIQUE,
            made_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            used_at timestamptz,
            revoked_at timestamptz,
            sent_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX ix_account_link_user_id ON account_link (user_id, made_at)")
    op.execute(
        """
        CREATE TABLE sign_in_failure (
            who bytea CONSTRAINT pk_sign_in_failure PRIMARY KEY,
            failures integer NOT NULL,
            last_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_sign_in_failure_last_at ON sign_in_failure (last_at)")
    for key, value in SETTINGS.items():
        op.execute(f"INSERT INTO setting (key, value) VALUES ('{key}', '{json.dumps(value)}')")  # noqa: S608
    # Recovery codes of before are kept as they are read out: nobody could use them any more.
    op.execute('UPDATE "user" SET mf_recovery_codes = NULL')
    role = context.config.attributes.get("app_role")
    if role:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(TABLES)} TO "{role}"')


def downgrade() -> None:
    # Codes are kept as hashes, which the version of before does not understand.
    op.execute('UPDATE "user" SET mf_recovery_codes = NULL')
    keys = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({keys})")  # noqa: S608
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute('ALTER TABLE "user" DROP COLUMN openid_subject, DROP COLUMN tf_last_counter')
