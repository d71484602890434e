"""Pages for whoever cannot sign in yet: an invitation, a lost password."""

from __future__ import annotations

from flask import (
    Blueprint,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response

from accounts import link_jobs
from accounts.models import AccountLink
from accounts.passwords import normalised
from accounts.rules import is_email
from accounts.security import actor_of, hashed, second_factor_in_use
from accounts.services import links
from accounts.services import users as services
from core import clock, mail, store
from core.db import current_session, transaction
from core.errors import DomainError, Invalid, NotFound
from core.i18n import current_language
from core.i18n import gettext as _
from core.policy import PUBLIC, guard
from core.problems import errors_of
from core.words import N_


def entering_routes(blueprint: Blueprint) -> None:
    """Add these pages to the feature's blueprint."""
    blueprint.add_url_rule("/password/forgotten", view_func=ask_for_link, methods=["GET", "POST"])
    blueprint.add_url_rule("/password/new/<token>", view_func=use_link, methods=["GET", "POST"])


def sends_links() -> bool:
    """Whether this service can send a link to somebody who is not signed in.

    It names its own address then: that of a request is what the requester says it is.
    """
    server = mail.server_of(current_app.config["SETTINGS"])
    return server is not None and bool(store.value_of(current_session(), "public_url"))


@guard(PUBLIC)
def ask_for_link() -> Response | str:
    """The same answer for every address, at the same time: the worker looks whose it is."""
    asked = request.method == "POST"
    if asked and sends_links():
        email = request.form.get("email", "").strip()
        if is_email(email):
            with transaction() as session:
                link_jobs.forgot(session, email, language=current_language())
    return render_template("accounts/forgotten.html", asked=asked, possible=sends_links())


@guard(PUBLIC)
def use_link(token: str) -> Response | tuple[str, int]:
    now = clock.now()
    if request.method == "GET":
        return _unkept(_page(links.find(current_session(), token, now=now)))
    try:
        with transaction() as session:
            link = links.find(session, token, now=now, lock=True)
            user = link.user
            password = normalised(request.form.get("password", ""))
            if password != normalised(request.form.get("again", "")):
                message = N_("The two passwords are not the same")
                raise Invalid(message, fields={"again": [message]})
            due = services.second_factor_due(session, user, in_use=second_factor_in_use())
            name = request.form.get("name", "").strip() or user.name
            user.name = name[:200]
            services.check_password(session, password, user, second_factor=due)
            links.use(
                session,
                link,
                name=name,
                password_hash=hashed(password),
                by=actor_of(session, user),
                now=now,
            )
    except NotFound:
        raise
    except DomainError as error:
        link = links.find(current_session(), token, now=now)
        return _page(link, errors_of(error)), error.status
    flash(_("The password was set. Sign in with it now."), "success")
    return redirect(url_for("security.login"))


def _page(link: AccountLink, errors: dict[str, list[str]] | None = None) -> str:
    session = current_session()
    due = services.second_factor_due(session, link.user, in_use=second_factor_in_use())
    key = "password_length_two_factor" if due else "password_length"
    return render_template(
        "accounts/use_link.html",
        link=link,
        name=request.form.get("name", link.user.name),
        errors=errors,
        least=store.value_of(session, key),
        second_factor=due,
    )


def _unkept(page: str) -> Response:
    """A page behind a secret address: no cache keeps it, and no other page learns of it."""
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
