"""Signing in with the account of the department, by OpenID Connect."""

from __future__ import annotations

from typing import Any

import requests
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, current_app, redirect, request
from flask import session as cookie
from flask_security.utils import login_user
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from accounts import openid
from core import clock
from core.db import current_session, transaction
from core.errors import BadRequest, Forbidden, NotFound, Unavailable
from core.pages import local_target, service_address
from core.policy import PUBLIC, guard
from core.settings import Settings
from core.words import N_

NEXT_KEY = "openid_next"
TIMEOUT_SECONDS = 10
# With a key of the service alone: neither unsigned nor by a secret that we share.
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
FAILED = N_("The account of the department could not be verified: begin again")
SILENT = N_("The sign-in service of the department does not answer: try again in a moment")

log = structlog.get_logger()


def openid_routes(blueprint: Blueprint) -> None:
    """Add these addresses to the feature's blueprint."""
    blueprint.add_url_rule("/sign-in/openid", view_func=begin_openid)
    blueprint.add_url_rule("/sign-in/openid/back", view_func=end_openid)


def init_app(app: Flask, settings: Settings) -> None:
    """Know the sign-in service of the settings; without one these addresses are not there."""
    oauth = OAuth(app)
    if settings.oidc_issuer:
        oauth.register(
            "department",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email profile",
                "code_challenge_method": "S256",
                "timeout": TIMEOUT_SECONDS,
            },
        )
    app.extensions["openid"] = oauth


def _service() -> Any:
    """The service, which has to be the one of the settings and to sign as ours may."""
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.oidc_issuer:
        raise NotFound()
    service = current_app.extensions["openid"].department
    try:
        facts = service.load_server_metadata()
    except (requests.RequestException, ValueError) as error:
        raise Unavailable(SILENT) from error
    if facts.get("issuer") != settings.oidc_issuer:
        log.error("openid issuer", expected=settings.oidc_issuer, found=facts.get("issuer"))
        raise Unavailable(SILENT)
    offered = facts.get("id_token_signing_alg_values_supported") or SIGNED_BY[:1]
    facts["id_token_signing_alg_values_supported"] = [one for one in SIGNED_BY if one in offered]
    return service


@guard(PUBLIC)
def begin_openid() -> Response:
    """Lead to the service; state, nonce and the proof of the code stay in the cookie."""
    service = _service()
    cookie[NEXT_KEY] = local_target(request.args.get("next"))
    address = f"{service_address(current_session())}/sign-in/openid/back"
    return service.authorize_redirect(address)


@guard(PUBLIC)
def end_openid() -> Response:
    """Somebody comes back from the service: the code becomes claims, these a person of ours."""
    service, issuer = _service(), current_app.config["SETTINGS"].oidc_issuer
    try:
        token = service.authorize_access_token(
            claims_options={
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": service.client_id},
            }
        )
    except requests.RequestException as error:
        raise Unavailable(SILENT) from error
    except (OAuthError, JoseError, ValueError, KeyError) as error:
        log.warning("openid refused", why=repr(error))
        raise BadRequest(FAILED) from error
    claims = token.get("userinfo")
    if not claims or claims.get("iss") != issuer or not claims.get("sub"):
        raise BadRequest(FAILED)
    target = cookie.pop(NEXT_KEY, "/")
    try:
        with transaction() as session:
            person = openid.person_of(session, claims, now=clock.now())
            login_user(person, authn_via=["openid"])
    except Forbidden:
        log.warning("openid unknown", subject=claims.get("sub"))
        raise
    return redirect(local_target(target))
