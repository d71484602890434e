"""Commands for accounts: the first administrator, tokens, passwords."""

from __future__ import annotations

from datetime import timedelta

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import select

from accounts import tokens
from accounts.link_jobs import link_address
from accounts.models import User
from accounts.passwords import new_password, normalised
from accounts.queries import user_by_email
from accounts.rules import Role
from accounts.security import hashed, second_factor_in_use
from accounts.services import links
from accounts.services import users as services
from core import clock, store
from core.cli import explained
from core.db import current_session, transaction
from core.policy import SYSTEM

commands = AppGroup("accounts", help="Users, their passwords and tokens.")


def the_user(email: str) -> User:
    user = user_by_email(current_session(), email)
    if user is None:
        raise click.ClickException(f"There is no account {email}: `flask accounts list` shows all.")
    return user


@commands.command("add")
@click.argument("email")
@click.option("--name", default="", help="The person's name.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="A role; may be given several times (default: admin).",
)
@click.option("--password", default="", help="Without it one is made and printed once.")
def add(email: str, name: str, roles: tuple[str, ...], password: str) -> None:
    """Make an account that sees the whole register (default: an administrator)."""
    made = password or new_password()
    with explained(), transaction() as session:
        user = services.create_user(
            session,
            email=email,
            name=name,
            password_hash=hashed(made),
            roles=roles or (Role.ADMIN,),
            everywhere=True,
            by=SYSTEM,
            now=clock.now(),
        )
        due = services.second_factor_due(session, user, in_use=second_factor_in_use())
        services.check_password(session, normalised(made), user, second_factor=due)
    click.echo(f"{email} can sign in now.")
    if not password:
        click.echo(f"Password (shown once): {made}")


@commands.command("token")
@click.argument("email")
@click.option("--name", default="command line", help="What the token is for.")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires.")
def token(email: str, name: str, days: int | None) -> None:
    """Make an access token and print it alone."""
    now = clock.now()
    with explained(), transaction() as session:
        made = tokens.issue(
            session,
            the_user(email),
            name=name,
            by=SYSTEM,
            now=now,
            expires_at=now + timedelta(days=days) if days else None,
        )
    click.echo(made)


@commands.command("password")
@click.argument("email")
def password(email: str) -> None:
    """Give an account a new password and print it once; its sessions end."""
    made = new_password()
    with explained(), transaction() as session:
        services.set_password(session, the_user(email), hashed(made), by=SYSTEM, now=clock.now())
    click.echo(made)


@commands.command("invite")
@click.argument("email")
def invite(email: str) -> None:
    """Print a link that lets an account set its password once, to be handed over."""
    with explained(), transaction() as session:
        _, token = links.make(session, the_user(email), by=SYSTEM, now=clock.now())
        service = store.value_of(session, "public_url") or "http://127.0.0.1:8000"
    click.echo(link_address(service, token))


@commands.command("list")
def list_accounts() -> None:
    """Print every account with its roles."""
    for user in current_session().scalars(select(User).order_by(User.email)):
        roles = ", ".join(sorted(role.name for role in user.roles))
        click.echo(f"{user.email}  {roles}{'' if user.active else '  (disabled)'}")


@commands.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account: its sessions and tokens end."""
    with explained(), transaction() as session:
        user = the_user(email)
        services.update_user(
            session,
            user,
            name=user.name,
            roles=[role.name for role in user.roles],
            everywhere=user.everywhere,
            territories=user.territories,
            organisation=user.organisation,
            active=False,
            by=SYSTEM,
            now=clock.now(),
        )
    click.echo(f"{email} is disabled.")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
