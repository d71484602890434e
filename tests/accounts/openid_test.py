"""Signing in with the account of the department: a small real provider, tokens that are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask, Response, jsonify, redirect, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from accounts.models import User, UserSession
from core import store
from core.audit import AuditEntry
from core.policy import SYSTEM
from core.settings import Settings
from tests import doors, makers
from tests.accounts.entering_test import FORM, path_of

CLIENT, SECRET = "thap-canh", "bi-mat"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


@dataclass
class Provider:
    """A sign-in service: who signs in next, and what is done to its tokens on the way."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    change: Callable[[dict[str, Any]], dict[str, Any]] = field(
        default_factory=lambda: lambda given: given
    )
    key: Any = field(default_factory=lambda: KEY)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    stated: str = ""
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)


def coded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def service_of(provider: Provider) -> Flask:
    app = Flask("provider")

    @app.get("/.well-known/openid-configuration")
    def facts() -> Response:
        here = provider.issuer
        return jsonify(
            issuer=provider.stated or here,
            authorization_endpoint=f"{here}/authorize",
            token_endpoint=f"{here}/token",
            jwks_uri=f"{here}/keys",
            id_token_signing_alg_values_supported=["RS256", "HS256", "none"],
        )

    @app.get("/keys")
    def keys() -> Response:
        return jsonify(keys=[KEY.as_dict(private=False)])

    @app.get("/authorize")
    def authorize() -> Any:
        code = secrets.token_hex(8)
        provider.codes[code] = request.args.to_dict()
        state = request.args["state"]
        return redirect(f"{request.args['redirect_uri']}?code={code}&state={state}")

    @app.post("/token")
    def token() -> Any:
        asked = provider.codes.pop(request.form["code"], None)
        given = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or request.headers.get("Authorization") != f"Basic {given}":
            return jsonify(error="invalid_grant"), 400
        proof = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        if coded(proof).decode() != asked["code_challenge"]:
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = provider.change(
            {
                "iss": provider.issuer, "aud": CLIENT, "nonce": asked["nonce"],
                "iat": now, "exp": now + 300, **provider.person,
            }
        )  # fmt: skip
        if isinstance(provider.key, bytes):
            # As no library would sign: with nothing, or with what is no secret.
            parts = [json.dumps(one).encode() for one in (provider.header, claims)]
            signed = b".".join(coded(one) for one in parts)
            mark = hmac.digest(provider.key, signed, "sha256") if provider.key else b""
            id_token = b".".join((signed, coded(mark))).decode()
        else:
            id_token = jwt.encode(provider.header, claims, provider.key)
        return jsonify(access_token="x", token_type="Bearer", id_token=id_token)

    return app


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider(person={"sub": "7", "email": "an@example.org", "email_verified": True})
    server = make_server("127.0.0.1", 0, service_of(made), threaded=True)
    made.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()


@pytest.fixture
def department(app: Flask, settings: Settings, provider: Provider) -> Flask:
    """The service with this provider, where staff would need a second factor of ours."""
    from app import create_app

    made = create_app(
        replace(
            settings,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            require_second_factor=True,
        )
    )
    made.test_client_class = type(app.test_client())
    made.extensions["database"] = app.extensions["database"]
    return made


def lead(client: FlaskClient, target: str = "/towers") -> str:
    """Go to the provider and back; returns the address that it sends the browser to."""
    away = client.get("/sign-in/openid", query_string={"next": target})
    assert away.status_code == 302, away.get_data(as_text=True)
    back = requests.get(away.headers["Location"], allow_redirects=False, timeout=5)
    place = urlsplit(back.headers["Location"])
    assert (place.netloc, place.path) == ("localhost", "/sign-in/openid/back")
    return f"{place.path}?{place.query}"


def signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def test_a_known_person_signs_in_and_stays_the_same_under_a_new_address(
    department: Flask, session: Session, provider: Provider
) -> None:
    person = makers.user(session, "staff", email="An@example.org", name="")
    session.commit()
    with department.app_context():
        page = department.test_client().get("/sign-in?next=/towers").get_data(as_text=True)
        assert 'href="/sign-in/openid?next=/towers"' in page
        client = department.test_client()
        answer = client.get(lead(client))
        assert (answer.status_code, answer.headers["Location"]) == (302, "/towers")
        assert client.get("/towers").status_code == 200
        session.refresh(person)
        assert person.openid_subject == f"{provider.issuer} 7"
        assert session.scalars(select(UserSession.way)).all() == ["openid"]
        provider.person["email"] = "khac@example.org"
        again = department.test_client()
        assert again.get(lead(again, "//evil.example/")).headers["Location"] == "/"
        assert signed_in(again)
        # Somebody else who has the address now is not this person.
        provider.person |= {"sub": "8", "email": "an@example.org"}
        other = department.test_client()
        assert other.get(lead(other)).status_code == 403
        assert not signed_in(other)


def test_an_invited_person_needs_no_password(
    app: Flask, department: Flask, session: Session, provider: Provider
) -> None:
    admin = doors.client_of(app, session, makers.user(session, "admin"))
    page = admin.post("/users/new", data={**FORM, "email": "an@example.org"})
    path = path_of(page.get_data(as_text=True))
    provider.person["name"] = "Nguyễn Văn An"
    with department.app_context():
        client = department.test_client()
        assert client.get(lead(client)).status_code == 302
        assert "Nguyễn Văn An" in client.get("/account").get_data(as_text=True)
        assert client.get(path).status_code == 404, "the link has ended"


@pytest.mark.parametrize(
    ("claims", "known"),
    [
        ({"email": "la@example.org"}, True),
        ({"email_verified": False}, True),
        ({"email_verified": None}, True),
        ({"email_verified": "true"}, True),
        ({"email": None}, True),
        ({"email": ["an@example.org"]}, True),
        ({}, False),
    ],
)
def test_nobody_else_comes_in(
    department: Flask, session: Session, provider: Provider, claims: dict[str, Any], known: bool
) -> None:
    person = makers.user(session, "staff", email="an@example.org")
    person.active = known
    session.commit()
    provider.person |= claims
    before = doors.counts(session)
    with department.app_context():
        client = department.test_client()
        assert client.get(lead(client)).status_code == 403
        assert not signed_in(client)
    assert doors.counts(session) == before


def other_key(provider: Provider) -> None:
    provider.key = RSAKey.generate_key(2048, {"kid": "one"})


def unknown_key(provider: Provider) -> None:
    provider.key, provider.header = RSAKey.generate_key(2048), {"alg": "RS256", "kid": "two"}


def shared_secret(provider: Provider) -> None:
    provider.key, provider.header = SECRET.encode(), {"alg": "HS256", "kid": "one"}


def public_key_as_secret(provider: Provider) -> None:
    provider.key = KEY.as_pem(private=False)
    provider.header = {"alg": "HS256", "kid": "one"}


def unsigned(provider: Provider) -> None:
    provider.key, provider.header = b"", {"alg": "none"}


def claims(**changes: Any) -> Callable[[Provider], None]:
    def change(provider: Provider) -> None:
        provider.change = lambda given: {
            key: value for key, value in (given | changes).items() if value is not None
        }

    return change


@pytest.mark.parametrize(
    "wrong",
    [
        other_key, unknown_key, shared_secret, public_key_as_secret, unsigned,
        claims(iss="https://evil.example"), claims(iss=None),
        claims(aud="another"), claims(aud=["another"]), claims(aud=None),
        claims(nonce="another"), claims(nonce=None),
        claims(exp=1), claims(exp=None), claims(sub=None), claims(iat=2**33),
    ],
    ids=[
        "other key", "unknown key", "shared secret", "public key as secret", "unsigned",
        "issuer", "no issuer", "audience", "audiences", "no audience", "nonce", "no nonce",
        "expired", "no end", "nobody", "from the future",
    ],
)  # fmt: skip
def test_a_token_that_is_not_what_it_should_be_is_refused(
    department: Flask, session: Session, provider: Provider, wrong: Callable[[Provider], None]
) -> None:
    makers.user(session, "staff", email="an@example.org")
    session.commit()
    wrong(provider)
    before = doors.counts(session)
    with department.app_context():
        client = department.test_client()
        answer = client.get(lead(client))
        assert answer.status_code == 400
        assert "<h1" in answer.get_data(as_text=True)
        assert not signed_in(client)
    assert doors.counts(session) == before


def test_what_somebody_else_began_ends_nowhere(
    department: Flask, session: Session, provider: Provider
) -> None:
    """Neither a made-up state, nor that of another browser, nor a code that was used."""
    makers.user(session, "staff", email="an@example.org")
    session.commit()
    with department.app_context():
        thief, victim = department.test_client(), department.test_client()
        path = lead(thief)
        assert victim.get(path).status_code == 400
        assert victim.get("/sign-in/openid/back?code=x&state=y").status_code == 400
        assert victim.get("/sign-in/openid/back").status_code == 400
        assert victim.get("/sign-in/openid/back?error=access_denied&state=y").status_code == 400
        lead(victim)
        state = parse_qs(urlsplit(lead(victim)).query)["state"][0]
        used = parse_qs(urlsplit(path).query)["code"][0]
        assert thief.get(path).status_code == 302
        assert victim.get(f"/sign-in/openid/back?code={used}&state={state}").status_code == 400
        assert not signed_in(victim)


def test_roles_follow_the_claim_that_the_department_maps(
    department: Flask, session: Session, provider: Provider
) -> None:
    person = makers.user(session, "staff", email="an@example.org")
    for key, value in (
        ("openid_claim", "groups"),
        ("openid_roles", {"Thanh tra": "inspector", "Hạ tầng": "staff", "Vua": "king"}),
    ):
        store.set_value(session, key, value, by=SYSTEM, now=makers.NOW)
    session.commit()
    with department.app_context():
        for groups, roles in (
            (["Thanh tra", "Hạ tầng", "khác"], ["inspector", "staff"]),
            ("Thanh tra", ["inspector"]),
        ):
            provider.person["groups"] = groups
            client = department.test_client()
            assert client.get(lead(client)).status_code == 302
            assert signed_in(client)
            session.refresh(person)
            assert sorted(role.name for role in person.roles) == roles
        for groups in ([], ["Vua"], None, 7):
            provider.person["groups"] = groups
            other = department.test_client()
            assert other.get(lead(other)).status_code == 403
            assert not signed_in(other)
    edits = session.scalars(select(AuditEntry.action).where(AuditEntry.kind == "user")).all()
    assert edits.count("user.edit") == 2


def test_a_service_that_is_not_the_one_of_the_settings_or_is_silent_is_503(
    department: Flask, provider: Provider
) -> None:
    provider.stated = "https://evil.example"
    with department.app_context():
        assert department.test_client().get("/sign-in/openid").status_code == 503


def test_without_a_service_there_is_nothing(app: Flask, session: Session) -> None:
    client = app.test_client()
    assert "openid" not in client.get("/sign-in").get_data(as_text=True)
    for path in ("/sign-in/openid", "/sign-in/openid/back?code=x&state=y"):
        assert client.get(path).status_code == 404
    assert session.scalar(select(User.openid_subject).where(User.openid_subject != "")) is None
