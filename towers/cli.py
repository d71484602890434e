"""Commands of the register."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup

from core import clock
from core.cli import explained
from core.db import current_session, transaction
from core.policy import SYSTEM
from towers import moves

commands = AppGroup("towers", help="The register of towers.")


@commands.command("reassign")
@click.option("--dry-run", is_flag=True, help="Say what would move and write nothing.")
def reassign(dry_run: bool) -> None:
    """Assign every tower to its commune, after boundaries or the distance for gaps changed."""
    with explained():
        if dry_run:
            session = current_session()
            made = moves.look(session)
            session.rollback()
        else:
            with transaction() as session:
                made = moves.reassign(session, why="command", by=SYSTEM, now=clock.now())
    for line in made.lines:
        click.echo(line)
    if made.batch:
        click.echo(f"The list: /towers/reassignments/{made.batch}")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
