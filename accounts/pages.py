"""Pages of users and organisations."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from accounts import queries, services, territories, tokens
from accounts.models import AccessToken, Organisation, User
from accounts.rules import OrganisationKind, Role
from accounts.security import hashed, new_password
from areas.models import Area
from areas.queries import communes, provinces
from core import clock, policy
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, NotFound
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import SIGNED_IN, guard
from core.problems import field_texts
from core.words import N_

blueprint = Blueprint("accounts", __name__, template_folder="templates")

CHANGED = N_("Somebody changed this in the meantime: look at it again and repeat your change")


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
        roles=list(Role),
        organisations=queries.organisations(session, actor),
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
    return user_form(None, {"roles": ["inspector"], "everywhere": False, "active": True})


@blueprint.post("/users/new")
@guard("user.edit")
def create_user() -> Response | str | tuple[str, int]:
    given = given_user()
    password = new_password()
    try:
        with transaction() as session:
            made = services.create_user(
                session,
                email=given["email"],
                name=given["name"],
                password_hash=hashed(password),
                roles=given["roles"],
                everywhere=given["everywhere"],
                territories=chosen_areas(given["territories"]),
                organisation=chosen_organisation(given["organisation"]),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return user_form(None, given, errors_of(error)), error.status
    return shown_once(render_template("accounts/password_once.html", user=made, password=password))


def shown_once(page: str) -> Response:
    """A page with a secret: no cache keeps it, and going back does not show it again."""
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


def errors_of(error: DomainError) -> dict[str, list[str]]:
    """What to show beside the fields; an error without a field stands above them."""
    return field_texts(error) or {"form": [error.text()]}


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


@blueprint.post("/users/<uuid:user_id>/password")
@guard("user.edit")
def reset_password(user_id: uuid.UUID) -> Response:
    user, password = the_user(user_id), new_password()
    with transaction() as session:
        services.set_password(session, user, hashed(password), by=current_actor(), now=clock.now())
    return shown_once(render_template("accounts/password_once.html", user=user, password=password))


def require_version(current: int) -> None:
    """Raise `Conflict` when the form was filled in for an older version."""
    if request.form.get("version", "") != str(current):
        raise Conflict(CHANGED)


@blueprint.get("/organisations")
@guard("organisation.view")
def organisations() -> str:
    kind = request.args.get("kind", "")
    q = request.args.get("q", "").replace("\x00", "")[:200]
    return render_template(
        "accounts/organisations.html",
        organisations=queries.organisations(
            current_session(),
            current_actor(),
            kind=kind if kind in set(OrganisationKind) else None,
            q=q,
        ),
        kinds=list(OrganisationKind),
        kind=kind,
        q=q,
    )


def organisation_form(organisation: Organisation | None, given: Any, errors: Any = None) -> str:
    return render_template(
        "accounts/organisation_form.html",
        organisation=organisation,
        given=given,
        errors=errors,
        kinds=list(OrganisationKind),
    )


@blueprint.get("/organisations/new")
@guard("organisation.edit")
def new_organisation() -> str:
    return organisation_form(None, {"kind": "owner"})


@blueprint.post("/organisations/new")
@guard("organisation.edit")
def create_organisation() -> Response | tuple[str, int]:
    return save_organisation(None)


@blueprint.get("/organisations/<uuid:organisation_id>")
@guard("organisation.view")
def organisation(organisation_id: uuid.UUID) -> str:
    found = the_organisation(organisation_id)
    if policy.may(current_actor(), "organisation.edit", found):
        return organisation_form(found, found)
    return render_template("accounts/organisation.html", organisation=found)


@blueprint.post("/organisations/<uuid:organisation_id>")
@guard("organisation.edit")
def update_organisation(organisation_id: uuid.UUID) -> Response | tuple[str, int]:
    return save_organisation(the_organisation(organisation_id))


def the_organisation(organisation_id: uuid.UUID) -> Organisation:
    found = queries.organisation(current_session(), current_actor(), organisation_id)
    if found is None:
        raise NotFound()
    return found


def save_organisation(found: Organisation | None) -> Response | tuple[str, int]:
    given = {key: request.form.get(key, "") for key in services.ORGANISATION_FIELDS}
    try:
        with transaction() as session:
            if found is not None:
                session.refresh(found, with_for_update={"of": Organisation})
                require_version(found.version)
            services.save_organisation(session, found, given, by=current_actor(), now=clock.now())
    except DomainError as error:
        again = the_organisation(found.id) if found is not None else None
        return organisation_form(again, given, errors_of(error)), error.status
    flash(_("The organisation was saved."), "success")
    return redirect(url_for("accounts.organisations"))


def account_page(token: str = "") -> str:
    session, actor = current_session(), current_actor()
    user = session.get_one(User, actor.id)
    live = session.scalars(
        select(AccessToken)
        .where(AccessToken.user_id == user.id, AccessToken.revoked_at.is_(None))
        .order_by(AccessToken.created_at)
    ).all()
    return render_template("accounts/account.html", user=user, tokens=live, token=token)


@blueprint.get("/account")
@guard(SIGNED_IN)
def account() -> str:
    return account_page()


@blueprint.post("/account/tokens")
@guard(SIGNED_IN)
def make_token() -> Response:
    actor = current_actor()
    with transaction() as session:
        token = tokens.issue(
            session,
            session.get_one(User, actor.id),
            name=request.form.get("name", "").strip()[:100] or _("Token"),
            by=actor,
            now=clock.now(),
        )
    return shown_once(account_page(token))


@blueprint.post("/account/tokens/<uuid:token_id>/revoke")
@guard(SIGNED_IN)
def revoke_token(token_id: uuid.UUID) -> Response:
    actor = current_actor()
    with transaction() as session:
        services.revoke_token(
            session, session.get_one(User, actor.id), token_id, by=actor, now=clock.now()
        )
    flash(_("The token was revoked."), "success")
    return redirect(url_for("accounts.account"))
