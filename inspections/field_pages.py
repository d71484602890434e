"""The doors of the field app: its page, what makes it installable, and its sign-in.

The page is the same for everybody and holds nothing of anybody: a phone keeps it and shows it
without a network. Whatever depends on a person comes through the API with the phone's own token.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, jsonify, render_template

from core.dist import DIST, FOLDER
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.policy import PUBLIC, guard

blueprint = Blueprint("field", __name__, template_folder="templates")
# What the app tells the service about itself.
APP_VERSION = "1"
COLOUR = "#0d3b52"


@blueprint.get("/field")
@guard(PUBLIC)
def app() -> Response:
    return unchanging(render_template("inspections/field/app.html", colour=COLOUR), "text/html")


@blueprint.get("/field/manifest.json")
@guard(PUBLIC)
def manifest() -> Response:
    """What makes the page an app on the screen of a phone."""
    response = jsonify(
        {
            "id": "/field",
            "name": f"Tháp Canh – {_('Field app')}",
            "short_name": "Tháp Canh",
            "lang": current_language(),
            "start_url": "/field",
            "scope": "/field",
            "display": "standalone",
            "orientation": "portrait",
            "background_color": COLOUR,
            "theme_color": COLOUR,
            "icons": [
                {"src": f"{DIST}/logo.svg", "sizes": "any", "type": "image/svg+xml"},
                {
                    "src": f"{DIST}/logo.svg",
                    "sizes": "any",
                    "type": "image/svg+xml",
                    "purpose": "maskable",
                },
            ],
        }
    )
    response.mimetype = "application/manifest+json"
    return response


@blueprint.get("/field/worker.js")
@guard(PUBLIC)
def worker() -> Response:
    """The service worker. It may look after the page above its own folder; a browser asks for it
    anew each time, so that a new version of the app is found at once."""
    page = render_template("inspections/field/app.html", colour=COLOUR)
    mark = hashlib.sha256(page.encode()).hexdigest()[:16]
    script = worker_script(FOLDER / "dist" / "inspections-field-worker.js")
    response = unchanging(script.replace("__SHELL__", mark), "text/javascript")
    response.headers["Service-Worker-Allowed"] = "/field"
    return response


@blueprint.get("/field/sign-in")
@guard("inspection.create")
def sign_in() -> str:
    """Makes the phone a device of whoever is signed in."""
    return render_template(
        "inspections/field/sign_in.html", person=current_actor(), version=APP_VERSION
    )


@cache
def worker_script(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("/__DIST__", DIST)


def unchanging(text: str, media_type: str) -> Response:
    """A text that is the same for everybody; it is asked for again each time."""
    response = Response(text, mimetype=media_type)
    response.cache_control.no_cache = True
    return response
