"""A first start that is cut off must not leave a house without keys."""

import importlib

from sqlalchemy import select

from accounts.models import User
from core import store
from tests import makers

# The package gives its command group the name of the module.
commands = importlib.import_module("inspections.demo.commands")


def kept(app) -> dict[str, str]:
    path = app.config["SETTINGS"].instance / "demo-accounts.txt"
    return dict(line.split() for line in path.read_text().splitlines())


def test_the_passwords_are_kept_as_soon_as_the_accounts_exist(app, session):
    commands.load_people()
    emails = set(session.scalars(select(User.email).where(User.demo)))
    assert emails == {email for email, _, _ in commands.PEOPLE}
    assert set(kept(app)) == emails


def test_a_demo_that_was_cut_off_after_its_accounts_is_loaded_by_the_next_start(app):
    commands.load_people()
    before = kept(app)
    assert commands.is_new()
    commands.load_people()
    assert kept(app) == before


def test_a_real_account_or_tower_means_that_no_demo_is_wanted(app, session):
    makers.user(session, "admin")
    session.commit()
    assert not commands.is_new()
    result = app.test_cli_runner().invoke(args=["demo", "load", "--if-new"])
    assert result.exit_code == 0, result.output
    assert session.scalars(select(User).where(User.demo)).all() == []
    # The next start need not ask again.
    assert store.value_of(session, "demo") == "none"
