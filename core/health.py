"""`/healthz` says the process lives; `/readyz` that its database answers and fits the code."""

from __future__ import annotations

from alembic.script import ScriptDirectory
from flask import Flask, Response, jsonify
from sqlalchemy import text

from core import jobs, migrate
from core.db import current_session
from core.errors import Unavailable
from core.i18n import N_
from core.policy import PUBLIC, guard


def init_app(app: Flask) -> None:
    newest = ScriptDirectory.from_config(migrate.config("", None)).get_current_head()

    @app.get("/healthz")
    @guard(PUBLIC)
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.get("/readyz")
    @guard(PUBLIC)
    def readyz() -> Response:
        present = current_session().execute(text("SELECT version_num FROM alembic_version"))
        if present.scalar() != newest:
            raise Unavailable(N_("The database has not been migrated yet"))
        # Pages work without it; only what outlives a request waits.
        worker = "running" if jobs.worker_lives(current_session()) else "missing"
        return jsonify(status="ready", worker=worker)
