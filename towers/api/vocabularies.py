"""The vocabularies of the register: values, labels in both languages, names elsewhere."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView
from marshmallow import fields

from core.api import Blueprint, StrictSchema
from core.i18n import force_locale, translate
from core.policy import guard
from towers.labels import VOCABULARIES
from towers.vocabularies import KINDS_OF_NAMES, standards, vocabularies

blueprint = Blueprint("api_vocabularies", "towers.api", url_prefix="/api/v1/vocabularies")


class Word(StrictSchema):
    """A value: what it is called here, as lists write it, and in other registers."""

    value = fields.String(required=True)
    vi = fields.String(required=True)
    en = fields.String(required=True)
    also = fields.List(fields.String(), required=True)
    osm = fields.Dict(keys=fields.String(), values=fields.String())
    fcc = fields.List(fields.String())
    tt14 = fields.List(fields.String())
    ttlt12 = fields.String()


class Vocabulary(StrictSchema):
    name = fields.String(required=True)
    words = fields.List(fields.Nested(Word), required=True)


class VocabularyList(StrictSchema):
    items = fields.List(fields.Nested(Vocabulary), required=True)


def in_language(text: str, language: str) -> str:
    with force_locale(language):
        return translate(text)


def words(name: str) -> list[dict[str, Any]]:
    """The values of a vocabulary with everything that is known of them."""
    labels = VOCABULARIES[name]
    return [
        {
            "value": value,
            "vi": in_language(labels[value], "vi"),
            "en": in_language(labels[value], "en"),
            "also": list(facts.get("also", ())),
            **{kind: facts[kind] for kind in KINDS_OF_NAMES if kind in facts},
        }
        for value, facts in standards(name).items()
    ]


@blueprint.route("")
class Vocabularies(MethodView):
    @guard("tower.view")
    @blueprint.response(200, VocabularyList)
    def get(self) -> Response:
        """Every vocabulary of the register with its values."""
        return jsonify(items=[{"name": name, "words": words(name)} for name in vocabularies()])
