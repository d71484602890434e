"""Security headers of every answer, in one place."""

from __future__ import annotations

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

YEAR_SECONDS = 365 * 24 * 3600
# Swagger's page and Leaflet set styles from scripts; scripts themselves come from us alone.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
    "frame-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'none'; "
    "object-src 'none'"
)


class Sessions(SecureCookieSessionInterface):
    """Files of ours are the same for everybody: no cookie goes with them."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint != "static":
            super().save_session(app, session, response)


def init_app(app: Flask, *, strict_transport: bool) -> None:
    app.session_interface = Sessions()

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "SAMEORIGIN")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "geolocation=(self), camera=(self)")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if strict_transport:
            headers.setdefault(
                "Strict-Transport-Security", f"max-age={YEAR_SECONDS}; includeSubDomains"
            )
        # Another version of a file of ours has another address.
        if request.endpoint == "static" and response.status_code < 400:
            headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
            return response
        # Pages and data depend on who reads them; assets are the same for everybody.
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "private, no-cache"
        elif request.endpoint not in {"static", "security.static"}:
            response.cache_control.private = None if response.cache_control.no_store else True
        response.vary.update(("Cookie", "Authorization"))
        return response
