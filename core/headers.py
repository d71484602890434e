"""Security headers of every answer, in one place."""

from __future__ import annotations

from flask import Flask, Response, request

# Swagger's page and Leaflet set styles from scripts; scripts themselves come from us alone.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
    "frame-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'none'; "
    "object-src 'none'"
)


def init_app(app: Flask, *, https: bool) -> None:
    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "SAMEORIGIN")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "geolocation=(self), camera=(self)")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if https:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        # Pages and data depend on who reads them; assets are the same for everybody.
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "private, no-cache"
        elif request.endpoint not in {"static", "security.static"}:
            response.cache_control.private = None if response.cache_control.no_store else True
        response.vary.update(("Cookie", "Authorization"))
        return response
