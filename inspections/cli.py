"""Commands: the checklist, the demo province, the check of every condition."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from core import audit, clock
from core.cli import explained
from core.db import allow_long_statements, current_session, transaction
from core.policy import SYSTEM
from inspections.checklist_files import read_file
from inspections.demo import commands as demo_commands
from inspections.services import checklists, condition, load_safety, retelling

checklist_commands = AppGroup("checklists", help="Versions of the checklist catalogue.")


@checklist_commands.command("load")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def load(file: Path | None) -> None:
    """Publish the catalogue in FILE (YAML or XLSX); the one that ships without it."""
    with explained(), transaction() as session:
        document = read_file(file, file.name) if file else checklists.shipped_document()
        version = checklists.publish(session, document, by=SYSTEM, now=clock.now())
        click.echo(f"Version {version.version} of {version.catalogue} is published.")


@click.command("recompute-conditions")
@click.option("--write", is_flag=True, help="Write what differs; without it only say so.")
@with_appcontext
def recompute_conditions(write: bool) -> None:
    """Derive every tower's condition from its inspections again; none may differ."""
    session = current_session()
    total = 0
    differing = []
    for code, differs in condition.recompute(session):
        total += 1
        if differs:
            differing.append(code)
    if write:
        session.commit()
    else:
        session.rollback()
    for code in differing[:100]:
        click.echo(f"{code} differs")
    click.echo(f"{total} towers, {len(differing)} differ{' (written)' if write else ''}")
    if differing and not write:
        raise SystemExit(1)


assessment_commands = AppGroup("assessments", help="Load-safety assessments.")


@assessment_commands.command("raise")
@click.option("--dry-run", is_flag=True, help="Only say which.")
def raise_violations(dry_run: bool) -> None:
    """Raise a violation for each tower that an assessment found unsafe before assessments did so.

    Their deadlines count from today, by the settings load_safety_critical_days and
    load_safety_major_days. A second time there is nothing left to raise.
    """
    with explained(), transaction() as session:
        waiting = load_safety.never_raised(session)
        for one in waiting:
            said = f"{one.tower.code}: {one.outcome}, {one.assessed_on}"
            if not dry_run:
                made = load_safety.raise_violation(
                    session, one, by=SYSTEM, now=clock.now(), today=clock.today()
                )
                said += f" -> {made.severity}, {made.deadline}" if made else ""
            click.echo(said)
        click.echo(f"{len(waiting)} {'would be raised' if dry_run else 'raised'}.")


history_commands = AppGroup("history", help="What condition each tower had when.")


@history_commands.command("retell")
def retell() -> None:
    """Tell the days before the register kept its history, from what inspections and violations say.

    What was recorded stays as it is; a second time there is nothing left to tell.
    """
    done = 0
    with explained(), transaction() as session:
        allow_long_statements(session)
        for done in retelling.retell(session):
            click.echo(f"{done} towers …")
        audit.record(
            session, "history.retell", "setting", "history", by=SYSTEM, now=clock.now(),
            after={"towers": done},
        )  # fmt: skip
    click.echo(f"The past of {done} towers was told.")


def init_app(app: Flask) -> None:
    app.cli.add_command(history_commands)
    app.cli.add_command(assessment_commands)
    app.cli.add_command(checklist_commands)
    app.cli.add_command(recompute_conditions)
    app.cli.add_command(demo_commands)
