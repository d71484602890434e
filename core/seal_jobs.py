"""The sealing of the audit, as the worker does it by the clock, and its commands."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import structlog
from flask import Flask
from flask.cli import AppGroup

from core import clock, seals
from core.db import database, transaction
from core.i18n import translate
from core.jobs import Body, Running

JOB = "audit.seal"
commands = AppGroup("audit", help="Who changed what: seals, and whether they hold.")


def seal_audit(job: Running, *, timestamp: int | None = None) -> None:
    """Seal what was written since."""
    seal_now(clock.now())


def seal_now(now: datetime) -> None:
    """Seal, and say the hash in the log: whoever keeps logs elsewhere has a witness."""
    with transaction() as session:
        for one in seals.seal(session, now=now):
            structlog.get_logger().info(
                "audit sealed", seal=one.id, entries=one.entries, hash=one.hash.hex()
            )


@commands.command("head")
def head() -> None:
    """Seal, and print the end of the chain, to be kept elsewhere: flask audit head > FILE."""
    with transaction() as session:
        seals.seal(session, now=clock.now())
    with transaction() as session:
        click.echo(json.dumps(seals.head(session)))


@commands.command("verify")
@click.option(
    "--head", "kept", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A head of before: the chain must hold it.",
)  # fmt: skip
def verify(kept: Path | None) -> None:
    """Say whether any entry was changed, deleted, swapped or put in; exit code 1 if so."""
    exported = _exported(kept) if kept else None
    with database().new_session() as session:
        verdict = seals.verify(session, exported)
    for one in verdict.findings[:20]:
        click.echo(translate(one.what, **one.facts), err=True)
    if len(verdict.findings) > 20:
        click.echo(f"… {len(verdict.findings) - 20} more", err=True)
    click.echo(
        f"{verdict.entries} entries in {verdict.seals} seals, {verdict.waiting} wait for theirs:"
        f" {'nothing was changed' if verdict.sound else 'CHANGED'}"
    )
    if verdict.first is not None:
        click.echo(f"First: {translate(verdict.first.what, **verdict.first.facts)}")
        sys.exit(1)


def _exported(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise click.ClickException(f"{path} holds no head: flask audit head > FILE makes one")
    return found


JOBS: dict[str, Body] = {JOB: seal_audit}


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
