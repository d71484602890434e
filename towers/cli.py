"""Commands of the register."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup

commands = AppGroup("towers", help="The register of towers.")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
