"""Commands without a subject: migrations and settings."""

from __future__ import annotations

import json
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from core import clock, migrate, store
from core.db import current_session, transaction
from core.errors import DomainError
from core.policy import SYSTEM

database_commands = AppGroup("db", help="Migrate the database.")
setting_commands = AppGroup("settings", help="Settings that the department changes.")


def urls() -> tuple[str, str]:
    """The owner's and the application's URL of the database."""
    settings = current_app.config["SETTINGS"]
    return settings.migration_database_url or settings.database_url, settings.database_url


@database_commands.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to REVISION (the newest without one)."""
    migrate.upgrade(*urls(), revision)


@database_commands.command("downgrade")
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Bring the database back to REVISION."""
    migrate.downgrade(*urls(), revision)


@setting_commands.command("list")
def list_settings() -> None:
    """Print every setting with its value."""
    for setting in current_session().query(store.Setting).order_by(store.Setting.key):
        click.echo(f"{setting.key} = {json.dumps(setting.value, ensure_ascii=False)}")


@setting_commands.command("set")
@click.argument("key")
@click.argument("value")
def set_setting(key: str, value: str) -> None:
    """Set KEY to VALUE: JSON, or numbers separated by commas."""
    try:
        parsed: Any = json.loads(value)
    except json.JSONDecodeError:
        parsed = value.split(",") if "," in value else value
    with explained(), transaction() as session:
        store.set_value(session, key, parsed, by=SYSTEM, now=clock.now())


class explained:  # reads as a phrase in a `with` line
    """Turn an error of ours into a sentence on standard error and exit code 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, DomainError):
            lines = [error.text()]
            for field, texts in error.fields.items():
                lines.extend(f"  {field}: {text}" for text in texts if text != error.message)
            raise click.ClickException("\n".join(lines)) from error


def init_app(app: Flask) -> None:
    app.cli.add_command(database_commands)
    app.cli.add_command(setting_commands)
