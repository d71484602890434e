"""Bring a database to a revision, as its owner."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from core.settings import ROOT


def config(owner_url: str, app_role: str | None) -> Config:
    """An Alembic configuration; `app_role` is the role that gets the application's grants."""
    made = Config()
    made.set_main_option("script_location", str(ROOT / "migrations"))
    made.set_main_option("sqlalchemy.url", owner_url.replace("%", "%%"))
    made.attributes["app_role"] = app_role
    return made


def app_role_of(owner_url: str, app_url: str) -> str | None:
    """The role that is granted its rights; none where owner and application are one role."""
    owner, app = make_url(owner_url).username, make_url(app_url).username
    return None if owner == app else app


def upgrade(owner_url: str, app_url: str, revision: str = "head") -> None:
    command.upgrade(config(owner_url, app_role_of(owner_url, app_url)), revision)


def downgrade(owner_url: str, app_url: str, revision: str) -> None:
    command.downgrade(config(owner_url, app_role_of(owner_url, app_url)), revision)


def is_current(url: str) -> bool:
    """Whether the database stands at the newest revision of this checkout."""
    newest = ScriptDirectory.from_config(config(url, None)).get_current_head()
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == newest
    finally:
        engine.dispose()
