"""Who guesses waits, known or not; whoever an account belongs to is not kept out by them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from accounts.models import SignInFailure, User
from accounts.services import links, slowing
from accounts.services import users as services
from accounts.services.slowing import Attempt
from core import clock, limits, store
from core.policy import SYSTEM
from tests import doors, makers
from tests.doors import PASSWORD, csrf_of

WRONG = "khong-dung-mat-khau"


def sign_in(
    app: Flask,
    email: str,
    password: str = WRONG,
    *,
    address: str = "192.0.2.7",
    browser: FlaskClient | None = None,
):
    """The answer to one attempt from an address, in a new browser or in one of before."""
    client = browser or app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    token = csrf_of(client.get("/sign-in").get_data(as_text=True))
    given = {"email": email, "password": password, "csrf_token": token}
    return client.post("/sign-in", data=given)


def statuses(app: Flask, *emails: str, **options: str) -> list[int]:
    return [sign_in(app, email, **options).status_code for email in emails]


def later(session: Session, **time: float) -> None:
    """Let time pass since the last failures."""
    session.execute(update(SignInFailure).values(last_at=clock.now() - timedelta(**time)))
    session.commit()


def attacked(session: Session, person: User, failures: int = 105) -> None:
    """Somebody was wrong so often at this moment, from networks all over the world."""
    attempt = Attempt(slowing.known(person.id), "198.51.100.0/24", in_all=True)
    slowing.count(session, attempt, now=clock.now())
    session.execute(update(SignInFailure).values(failures=failures, last_at=clock.now()))
    session.commit()


def test_whoever_is_wrong_too_often_waits_known_or_not(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    for said in (person.email, "khong-co@example.org"):
        answers = [sign_in(app, said) for _ in range(6)]
        assert [one.status_code for one in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
    # The right password waits too, as long as it has to, and then gets in.
    assert sign_in(app, person.email.upper(), PASSWORD).status_code == 429
    later(session, seconds=2)
    assert sign_in(app, person.email, PASSWORD).status_code == 302
    # Of the person only what others did is left, and of that nothing that was right.
    left = session.scalars(select(SignInFailure.failures).order_by(SignInFailure.failures)).all()
    assert left == [5, 5, 5]


def test_nobody_waits_longer_than_the_setting(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    assert statuses(app, *[person.email] * 5) == [200] * 5
    session.execute(update(SignInFailure).values(failures=60))
    later(session, minutes=15)
    assert sign_in(app, person.email, PASSWORD).status_code == 302


@pytest.mark.parametrize("known", [True, False])
def test_one_account_is_counted_once_however_it_is_written(
    app: Flask, session: Session, known: bool
) -> None:
    if known:
        makers.user(session, "staff", email="nan@example.org")
        session.commit()
    said = [
        "nan@example.org",
        "NAN@Example.org",
        "nan@ｅxample.org",
        "nan@exａmple.org",
        "nan@example。org",
        "nan@ｅｘample.org",
    ]
    assert statuses(app, *said) == [200] * 5 + [429]


def test_what_cannot_be_an_address_is_counted_too(app: Flask) -> None:
    assert statuses(app, *["không phải địa chỉ", "KHÔNG phải địa chỉ"] * 3) == [200] * 5 + [429]


def test_one_network_does_not_make_another_wait(app: Flask, session: Session) -> None:
    """Somebody who is wrong again and again, for days, keeps nobody out but their neighbours."""
    person = doors.with_password(session, "staff")
    assert statuses(app, *[person.email] * 6, address="192.0.2.7") == [200] * 5 + [429]
    assert statuses(app, person.email, address="192.0.2.200") == [429]
    assert sign_in(app, person.email, PASSWORD, address="203.0.113.9").status_code == 302
    unknown = "khong-co@example.org"
    assert statuses(app, *[unknown] * 6, address="2001:db8:1:2::1") == [200] * 5 + [429]
    assert statuses(app, unknown, address="2001:db8:1:2:ffff::9") == [429]
    assert statuses(app, unknown, address="2001:db8:1:3::1") == [200]


def test_from_many_networks_an_account_is_guarded_as_a_whole(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    browser = app.test_client()
    assert sign_in(app, person.email, PASSWORD, browser=browser).status_code == 302
    browser.delete_cookie("session")
    attacked(session, person)
    assert sign_in(app, person.email, PASSWORD, address="203.0.113.9").status_code == 429
    # A browser in which they have been before counts for itself, and waits for itself alone.
    assert statuses(app, *[person.email] * 5, browser=browser) == [200] * 5
    assert sign_in(app, person.email, PASSWORD, browser=browser).status_code == 429
    later(session, seconds=2)
    assert sign_in(app, person.email, PASSWORD, browser=browser).status_code == 302
    # Of another account it says nothing.
    browser.delete_cookie("session")
    other = doors.with_password(session, "staff")
    attacked(session, other)
    assert sign_in(app, other.email, PASSWORD, browser=browser).status_code == 429
    # Nobody waits longer than the setting here either.
    later(session, minutes=15)
    assert sign_in(app, other.email, PASSWORD, address="203.0.113.9").status_code == 302


def test_the_cookie_of_a_known_browser_cannot_be_made_up(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    browser = app.test_client()
    answer = sign_in(app, person.email, PASSWORD, browser=browser)
    (line,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("browser=")]
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Max-Age=34560000" in line
    assert str(person.id) not in line and person.email not in line
    attacked(session, person)
    cookie = browser.get_cookie("browser")
    assert cookie
    for forged in (f"{cookie.value}x", "x", cookie.value.split(".")[0]):
        thief = app.test_client()
        thief.set_cookie("browser", forged)
        assert sign_in(app, person.email, PASSWORD, browser=thief).status_code == 429


def test_a_new_password_forgets_the_failures(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    for given in ("mot-mat-khau-khac-9", "lai-mot-cau-khac-77"):
        assert statuses(app, *[person.email] * 6) == [200] * 5 + [429]
        attacked(session, person)
        if given.startswith("mot"):
            _, token = links.make(session, person, by=SYSTEM, now=clock.now())
            session.commit()
            client = app.test_client()
            page = client.get(f"/password/new/{token}").get_data(as_text=True)
            sent = {"password": given, "again": given, "csrf_token": csrf_of(page)}
            assert client.post(f"/password/new/{token}", data=sent).status_code == 302
        else:
            services.set_password(session, person, doors.hashed(given), by=SYSTEM, now=clock.now())
            session.commit()
        assert sign_in(app, person.email, given).status_code == 302


def test_how_many_failures_of_all_are_free_is_a_setting(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    store.set_value(session, "sign_in_hourly_failures", 10, by=SYSTEM, now=clock.now())
    attacked(session, person, 15)
    assert statuses(app, person.email, address="203.0.113.9") == [429]


def test_what_is_older_than_a_day_is_forgotten(app: Flask, session: Session) -> None:
    statuses(app, "ai@example.org")
    later(session, hours=25)
    statuses(app, "ai-khac@example.org")
    assert session.scalar(select(func.count()).select_from(SignInFailure)) == 2


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_address_of_ipv6_is_as_good_as_its_neighbours(address: str, counted: str) -> None:
    """Whoever has one has the 2 to the 64th of its network (RFC 6177)."""
    assert limits.network(address) == counted
