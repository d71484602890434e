"""The page of the register's vocabularies: what each value is called here and elsewhere."""

from __future__ import annotations

from flask import Blueprint, render_template

from core.policy import guard
from towers.vocabularies import standards, vocabularies


def vocabulary_routes(blueprint: Blueprint) -> None:
    """Add the page of vocabularies to the feature's blueprint."""
    blueprint.add_url_rule("/towers/vocabularies", view_func=words)


@guard("tower.view")
def words() -> str:
    return render_template(
        "towers/vocabularies.html",
        vocabularies=[(name, standards(name)) for name in vocabularies()],
    )
