"""Many towers at once: new ones are registered, known ones brought up to date, by their code."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import ValidationError, fields
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core import clock, policy
from core.api import Blueprint, StrictSchema, json_body
from core.db import transaction
from core.errors import Conflict, DomainError, Invalid
from core.guard import current_actor
from core.policy import guard
from core.problems import as_domain_error, field_texts, flat_messages
from core.validation import one_of
from core.words import N_
from towers import services
from towers.bodies import organisation_from, split
from towers.fields import KEPT, ORGANISATIONS
from towers.models import Tower
from towers.schemas import NewTower, TowerFields

MOST = 1_000
EMPTY = {field.name: field.empty for field in (*KEPT, *ORGANISATIONS) if not field.required}


class Outcome(StrEnum):
    """What became of an item."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WRONG = "wrong"


class BulkQuery(StrictSchema):
    """`good_rows` writes the good items and reports the others."""

    good_rows = fields.Boolean(load_default=False)


class ItemBody(StrictSchema):
    """What became of an item: `index` counts from 0, `errors` has texts by field."""

    index = fields.Integer(required=True)
    code = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True, validate=one_of(tuple(Outcome)))
    version = fields.Integer(allow_none=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


class BulkBody(StrictSchema):
    """The items in the order they came, and how many there are of each outcome."""

    items = fields.List(fields.Nested(ItemBody), required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


@dataclass
class Item:
    """What became of an item of a body."""

    index: int
    code: str | None
    outcome: Outcome = Outcome.WRONG
    version: int | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        made = {"index": self.index, "code": self.code, "outcome": self.outcome}
        return {**made, "errors": self.errors} if self.errors else {**made, "version": self.version}


def asked_items() -> list[Any]:
    """The items of a body; raises `Invalid` for another shape or too many."""
    items = json_body(request)
    if not isinstance(items, list) or not 1 <= len(items) <= MOST:
        raise Invalid(N_("Send a list of 1 to %(most)s towers"), most=MOST)
    return items


class Upsert:
    """Writes items one after the other in the session's transaction, each whole or not at all."""

    def __init__(self, session: Session, items: list[Any]) -> None:
        self.session = session
        self.new, self.changes = NewTower(), TowerFields()
        self.seen: dict[str, int] = {}
        self.named: dict[tuple[str | None, str], Organisation | None] = {}
        codes = {code for one in items if (code := code_of(one)) is not None}
        # Held in one order, so that two bodies wait for each other and never both.
        held = (
            select(Tower)
            .where(Tower.code.in_(codes), policy.visible(current_actor(), "tower"))
            .order_by(Tower.id)
            .with_for_update(of=Tower, key_share=True)
        )
        self.known = {tower.code: tower for tower in session.scalars(held)}

    def write(self, index: int, given: Any) -> Item:
        item = Item(index, code_of(given))
        try:
            with self.session.begin_nested():
                self._write(item, given)
        except ValidationError as error:
            item.errors = flat_messages(error.messages)
        except (DomainError, DBAPIError) as error:
            known = as_domain_error(error)
            if known.status >= 500:
                raise
            item.errors = field_texts(known) or {"_": [known.text()]}
        if item.errors:
            item.outcome, item.version = Outcome.WRONG, None
            # One that it made is gone with it.
            self.named.clear()
        return item

    def _organisation(self, given: str | None, field: str) -> Organisation | None:
        if (given, field) not in self.named:
            self.named[given, field] = organisation_from(given, field)
        return self.named[given, field]

    def _write(self, item: Item, given: Any) -> None:
        if not isinstance(given, dict):
            raise ValidationError([str(self.new.error_messages["type"])])
        given = dict(given)
        version = given.pop("version", None)
        code = item.code or ""
        if code in self.seen:
            message = N_("This code stands in item %(other)s already")
            raise Conflict(message, fields={"code": [message]}, other=self.seen[code])
        if code:
            self.seen[code] = item.index
        tower = self.known.get(code)
        if version is not None and (tower is None or version != tower.version):
            message = N_("The tower has another version now")
            raise Conflict(message, fields={"version": [message]})
        data: dict[str, Any] = (self.changes if tower else self.new).load(given)
        reading, values = split(data, self._organisation)
        by, now = current_actor(), clock.now()
        if tower is None:
            assert reading is not None
            tower = services.create_tower(
                self.session, reading=reading, values={**EMPTY, **values}, by=by, now=now
            )
            item.outcome = Outcome.CREATED
        else:
            before = tower.version
            services.update_tower(
                self.session,
                tower,
                reading=reading,
                values=values,
                by=by,
                now=now,
                today=clock.today(),
            )
            same = tower.version == before
            item.outcome = Outcome.UNCHANGED if same else Outcome.CHANGED
        item.version = tower.version


def code_of(given: Any) -> str | None:
    """The code of an item as it would be kept, `None` where it has none."""
    code = given.get("code") if isinstance(given, dict) else None
    return unicodedata.normalize("NFC", code).strip() if isinstance(code, str) else None


def add_to(towers: Blueprint) -> None:
    """Add the list of many to the API of towers."""
    # Any object, so that a wrong one is reported beside the good ones.
    item = {"anyOf": [{"$ref": "#/components/schemas/TowerFields"}, {"type": "object"}]}
    body = {"type": "array", "items": item, "minItems": 1, "maxItems": MOST}

    @towers.route("/bulk")
    class TowersInBulk(MethodView):
        @guard("tower.create")
        @towers.arguments(BulkQuery, location="query")
        @towers.response(200, BulkBody)
        @towers.doc(
            requestBody={"required": True, "content": {"application/json": {"schema": body}}}
        )
        def post(self, query: dict[str, Any]) -> Response:
            """Register or change up to 1,000 towers by their codes, in one transaction.

            A known code is changed as by PATCH, with `version` only where it is still that one; a
            new one is registered as by POST. With a wrong item nothing is written (422 names it by
            its index), unless `good_rows` and another one is good. The same body twice changes
            nothing.
            """
            items = asked_items()
            with transaction() as session:
                upsert = Upsert(session, items)
                done = [upsert.write(index, given) for index, given in enumerate(items)]
                wrong = [item for item in done if item.errors]
                if wrong and (not query["good_rows"] or len(wrong) == len(done)):
                    raise Invalid(
                        N_("%(wrong)s of %(all)s towers are wrong; nothing was written"),
                        fields={
                            # They are translated already.
                            f"{item.index}.{name}": [(text, {}) for text in texts]
                            for item in wrong
                            for name, texts in item.errors.items()
                        },
                        wrong=len(wrong),
                        all=len(done),
                    )
            counted = Counter(item.outcome for item in done)
            return jsonify(
                items=[item.body() for item in done],
                counts={outcome: counted[outcome] for outcome in Outcome},
            )
