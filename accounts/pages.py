"""Pages of users and of one's own account."""

from __future__ import annotations

import uuid
from typing import Any

from flask import (
    Blueprint,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import select
from werkzeug.wrappers import Response

from accounts import link_jobs, queries, territories, tokens
from accounts.audit_pages import audit_routes
from accounts.doors import require_version
from accounts.entering import entering_routes
from accounts.models import AccessToken, Organisation, User
from accounts.openid_pages import openid_routes
from accounts.organisations import organisation_routes
from accounts.rules import Role
from accounts.security import current_user_session
from accounts.services import devices as phones
from accounts.services import links
from accounts.services import users as services
from accounts.session_pages import session_routes
from areas.models import Area
from areas.queries import communes, provinces
from core import clock, mail, store
from core.db import current_session, transaction
from core.errors import DomainError, NotFound
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.pages import service_address
from core.policy import SIGNED_IN, guard
from core.problems import errors_of

blueprint = Blueprint("accounts", __name__, template_folder="templates")
organisation_routes(blueprint)
entering_routes(blueprint)
session_routes(blueprint)
openid_routes(blueprint)
audit_routes(blueprint)


@blueprint.get("/users")
@guard("user.view")
def users() -> str:
    session, actor = current_session(), current_actor()
    return render_template(
        "accounts/users.html",
        users=queries.users(session, actor),
        ended=territories.ended_territories(session, actor),
    )


@blueprint.post("/users/territories")
@guard("user.edit")
def give_heirs() -> Response:
    """Give everybody the heirs of the ended areas in their territories."""
    with transaction() as session:
        number = territories.give_heirs(session, by=current_actor(), now=clock.now())
    flash(_("The territories of %(number)s people were renewed.", number=number), "success")
    return redirect(url_for("accounts.users"))


def the_user(user_id: uuid.UUID) -> User:
    found = queries.user(current_session(), current_actor(), user_id)
    if found is None:
        raise NotFound()
    return found


def user_form(user: User | None, given: dict[str, Any], errors: Any = None) -> str:
    session, actor = current_session(), current_actor()
    return render_template(
        "accounts/user_form.html",
        user=user,
        given=given,
        errors=errors,
        devices=phones.of_user(session, user.id) if user else [],
        roles=list(Role),
        sends=mail.server_of(current_app.config["SETTINGS"]) is not None,
        sessions=queries.live_sessions(session, user, now=clock.now()) if user else (),
        here=g.get("user_session"),
        link=links.latest(session, user) if user else None,
        now=clock.now(),
        organisations=queries.organisation_names(session, actor),
        # What has ended stays in sight until somebody takes it away.
        areas=[
            *(area for area in (user.territories if user else ()) if area.valid_to),
            *provinces(session),
            *communes(session),
        ],
    )


def given_user() -> dict[str, Any]:
    return {
        "email": request.form.get("email", ""),
        "name": request.form.get("name", ""),
        "roles": request.form.getlist("roles"),
        "everywhere": "everywhere" in request.form,
        "territories": request.form.getlist("territories"),
        "organisation": request.form.get("organisation", ""),
        "active": "active" in request.form,
    }


def chosen_areas(ids: list[str]) -> list[Area]:
    numbers = [int(one) for one in ids if one.isdecimal() and len(one) < 10]
    return list(current_session().scalars(select(Area).where(Area.id.in_(numbers))))


def chosen_organisation(given: str) -> Organisation | None:
    try:
        wanted = uuid.UUID(given)
    except ValueError:
        return None
    return queries.organisation(current_session(), current_actor(), wanted)


@blueprint.get("/users/new")
@guard("user.edit")
def new_user() -> str:
    return user_form(None, {"roles": [], "everywhere": False, "active": True})


@blueprint.post("/users/new")
@guard("user.edit")
def create_user() -> Response | str | tuple[str, int]:
    """Make an account without a password: its person sets one by a link."""
    given = given_user()
    try:
        with transaction() as session:
            made = services.create_user(
                session,
                email=given["email"],
                name=given["name"],
                password_hash=None,
                roles=given["roles"],
                everywhere=given["everywhere"],
                territories=chosen_areas(given["territories"]),
                organisation=chosen_organisation(given["organisation"]),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return user_form(None, given, errors_of(error)), error.status
    return give_link(made)


def give_link(user: User) -> Response:
    """Send a link to a person, or show it to be handed over where nothing can be sent."""
    sends = mail.server_of(current_app.config["SETTINGS"]) is not None
    if sends and "show" not in request.form:
        with transaction() as session:
            language, service = current_language(), service_address(session)
            link_jobs.invite(session, user, language=language, service=service)
        flash(_("A message with a link is on its way to %(email)s.", email=user.email), "success")
        return redirect(url_for("accounts.edit_user", user_id=user.id))
    with transaction() as session:
        made, token = links.make_for(session, user, by=current_actor(), now=clock.now())
        address = link_jobs.link_address(service_address(session), token)
    return shown_once(
        render_template("accounts/link_once.html", user=user, link=made, address=address)
    )


@blueprint.post("/users/<uuid:user_id>/link")
@guard("user.edit")
def make_link(user_id: uuid.UUID) -> Response:
    return give_link(the_user(user_id))


@blueprint.post("/users/<uuid:user_id>/second-factor")
@guard("user.edit")
def remove_second_factor(user_id: uuid.UUID) -> Response:
    user = the_user(user_id)
    with transaction() as session:
        services.remove_second_factor(session, user, by=current_actor(), now=clock.now())
    flash(_("The second factor was taken away, and the sessions have ended."), "success")
    return redirect(url_for("accounts.edit_user", user_id=user_id))


def shown_once(page: str) -> Response:
    """A page with a secret: no cache keeps it, and going back does not show it again."""
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/users/<uuid:user_id>")
@guard("user.edit")
def edit_user(user_id: uuid.UUID) -> str:
    user = the_user(user_id)
    return user_form(
        user,
        {
            "name": user.name,
            "roles": [role.name for role in user.roles],
            "everywhere": user.everywhere,
            "territories": [str(area.id) for area in user.territories],
            "organisation": user.organisation_id,
            "active": user.active,
        },
    )


@blueprint.post("/users/<uuid:user_id>")
@guard("user.edit")
def update_user(user_id: uuid.UUID) -> Response | str | tuple[str, int]:
    user, given = the_user(user_id), given_user()
    try:
        with transaction() as session:
            session.refresh(user, with_for_update={"of": User})
            require_version(user.version)
            services.update_user(
                session,
                user,
                name=given["name"],
                roles=given["roles"],
                everywhere=given["everywhere"],
                territories=chosen_areas(given["territories"]),
                organisation=chosen_organisation(given["organisation"]),
                active=given["active"],
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return user_form(the_user(user_id), given, errors_of(error)), error.status
    flash(_("The account was saved."), "success")
    return redirect(url_for("accounts.users"))


def account_page(token: str = "", errors: Any = None) -> str:
    session, actor = current_session(), current_actor()
    user = session.get_one(User, actor.id)
    live = session.scalars(
        select(AccessToken)
        .where(AccessToken.user_id == user.id, AccessToken.revoked_at.is_(None))
        .order_by(AccessToken.created_at)
    ).all()
    return render_template(
        "accounts/account.html",
        user=user,
        tokens=live,
        token=token,
        days=store.value_of(session, "token_days"),
        errors=errors,
        sessions=queries.live_sessions(session, user, now=clock.now()),
        here=g.get("user_session"),
    )


@blueprint.get("/account")
@guard(SIGNED_IN)
def account() -> str:
    return account_page()


@blueprint.post("/account/tokens")
@guard(SIGNED_IN)
def make_token() -> Response | tuple[str, int]:
    """Make a token, in a browser alone: no token makes another one, which would outlast it."""
    current_user_session()
    actor = current_actor()
    try:
        with transaction() as session:
            token = tokens.issue_to_program(
                session,
                session.get_one(User, actor.id),
                name=request.form.get("name", "").strip()[:100] or _("Token"),
                days=request.form.get("days", "").strip(),
                by=actor,
                now=clock.now(),
            )
    except DomainError as error:
        return account_page(errors=errors_of(error)), error.status
    return shown_once(account_page(token))


@blueprint.post("/account/tokens/<uuid:token_id>/revoke")
@guard(SIGNED_IN)
def revoke_token(token_id: uuid.UUID) -> Response:
    current_user_session()
    actor = current_actor()
    with transaction() as session:
        services.revoke_token(
            session, session.get_one(User, actor.id), token_id, by=actor, now=clock.now()
        )
    flash(_("The token was revoked."), "success")
    return redirect(url_for("accounts.account"))


@blueprint.get("/devices")
@guard(SIGNED_IN)
def devices() -> str:
    actor = current_actor()
    assert actor.id is not None
    return render_template(
        "accounts/devices.html", devices=phones.of_user(current_session(), actor.id)
    )


@blueprint.post("/devices/<uuid:device_id>/revoke")
@guard(SIGNED_IN)
def revoke_device(device_id: uuid.UUID) -> Response:
    """Revoke one's own phone, or anybody's for who administers accounts."""
    current_user_session()
    actor = current_actor()
    with transaction() as session:
        device = phones.by_id(session, actor, device_id)
        phones.revoke(session, device, by=actor, now=clock.now())
    flash(_("The phone was revoked. What it still sends is kept for a decision."), "success")
    if device.user_id == actor.id:
        return redirect(url_for("accounts.devices"))
    return redirect(url_for("accounts.edit_user", user_id=device.user_id))
