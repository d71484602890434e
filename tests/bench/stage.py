"""Where benchmarks play: databases of their own on the private cluster, dropped at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

import psycopg
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from core import migrate
from core.cluster import ClusterUrls, PrivateCluster, cluster_for
from core.settings import ROOT, Settings

# What the application's engine tells the planner: the same statement must get the same plan.
PLANNER = "-c plan_cache_mode=force_custom_plan -c random_page_cost=1.1 -c timezone=UTC"


class Stage:
    """The cluster of this instance, and what was made on it for this run."""

    def __init__(self) -> None:
        self.instance = Settings.from_environment().instance
        self.provinces: dict[int, ClusterUrls] = {}
        self.load_seconds: dict[int, float] = {}
        self._made: list[str] = []
        self._apps: list[Flask] = []
        self._nowhere = open(os.devnull, "w")  # noqa: SIM115, PTH123 - closed with the stage

    @contextmanager
    def open(self) -> Iterator[Stage]:
        """The stage with its cluster running; everything made on it is removed afterwards."""
        # Photos, passwords and secrets of the benchmarks stay out of the instance folder.
        with tempfile.TemporaryDirectory(prefix="thap-canh-bench-") as folder:
            self.folder = Path(folder)
            ran_before = self.cluster.running()
            self.cluster.start()
            try:
                yield self
            finally:
                for app in self._apps:
                    app.extensions["database"].engine.dispose()
                for name in reversed(self._made):
                    self.cluster.drop_database(name)
                if not ran_before:
                    self.cluster.stop()
                self._nowhere.close()

    @cached_property
    def cluster(self) -> PrivateCluster:
        return cluster_for(ROOT, self.instance)

    @cached_property
    def _empty(self) -> str:
        """A migrated database without rows, from which the others are copied."""
        name = self._name("empty")
        urls = self.cluster.create_database(name)
        migrate.upgrade(urls.owner_url, urls.app_url)
        return name

    def _name(self, purpose: str) -> str:
        name = f"bench_{os.getpid()}_{purpose}"
        self._made.append(name)
        return name

    def empty(self, purpose: str) -> ClusterUrls:
        """A migrated database without rows."""
        template = self._empty
        return self.cluster.create_database(self._name(purpose), template)

    def province(self, towers: int) -> ClusterUrls:
        """The demo province with so many towers, loaded by its command at the first use."""
        if towers not in self.provinces:
            urls = self.empty(f"demo_{towers}")
            self.load_seconds[towers] = self.flask(urls, "demo", "load", "--towers", str(towers))
            self.provinces[towers] = urls
        return self.provinces[towers]

    def environment(self, urls: ClusterUrls) -> dict[str, str]:
        return {
            **os.environ,
            "FLASK_APP": "wsgi",
            "DATABASE_URL": urls.app_url,
            "MIGRATION_DATABASE_URL": urls.owner_url,
            "INSTANCE_DIR": str(self.folder),
        }

    def flask(self, urls: ClusterUrls, *arguments: str) -> float:
        """Run a command of the service on a database; returns its seconds from start to end."""
        started = perf_counter()
        self.python(urls, "-m", "flask", *arguments)
        return perf_counter() - started

    def python(self, urls: ClusterUrls, *arguments: str) -> str:
        """Run a Python of its own with the settings of a database; returns what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(urls),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def app(self, urls: ClusterUrls) -> Flask:
        from app import create_app

        made = create_app(
            replace(
                Settings(),
                instance=self.folder,
                database_url=urls.app_url,
                migration_database_url=urls.owner_url,
                secret_key="only-for-benchmarks",
                log_format="json",
            )
        )
        # A line a request is part of its work, but nobody needs to read these.
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(self._nowhere))
        self._apps.append(made)
        return made

    def client(self, app: Flask, urls: ClusterUrls, email: str) -> FlaskClient:
        """A client that is signed in by a token of this account."""
        printed = self.python(urls, "-m", "flask", "accounts", "token", email)
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {printed.strip().splitlines()[-1]}"
        return client

    @contextmanager
    def as_owner(self, urls: ClusterUrls) -> Iterator[Connection]:
        engine = create_engine(urls.owner_url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


def bare(url: str) -> psycopg.Connection:
    """A plain driver connection with the planner settings of the application's engine."""
    parts = make_url(url)
    connection = psycopg.connect(
        host=str(parts.query["host"]),
        dbname=parts.database,
        user=parts.username,
        password=parts.password,
        options=PLANNER,
    )
    connection.prepare_threshold = None
    return connection
