"""How often one address may ask what is open to everybody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address


def limit(
    app: Flask, rate: str, endpoints: Iterable[str], *, methods: Sequence[str] | None = None
) -> None:
    """Answer 429 where an address asks these endpoints more often; no `rate` is no limit.

    Each server process counts for itself. Endpoints that are not there are left out.
    """
    limiter = Limiter(
        key_func=get_remote_address, app=app, storage_uri="memory://", enabled=bool(rate)
    )
    for endpoint in endpoints:
        view = app.view_functions.get(endpoint)
        if view is not None:
            app.view_functions[endpoint] = limiter.limit(  # type: ignore[assignment]
                rate, methods=list(methods) if methods else None, per_method=True
            )(view)
