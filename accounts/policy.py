"""Who may see and change accounts and organisations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, false, true

from accounts.models import Organisation
from core import policy
from core.policy import Actor

# Who sees every organisation; a tower owner sees their own alone.
READERS = {"admin", "staff", "inspector", "local_officer"}
EDITORS = {"admin", "staff"}


def _anywhere(actor: Actor, thing: Any) -> bool:
    return True


def visible_organisations(actor: Actor) -> ColumnElement[bool]:
    if actor.has("system", *READERS):
        return true()
    if actor.organisation_id is None:
        return false()
    return Organisation.id == actor.organisation_id


def reaches_organisation(actor: Actor, organisation: Organisation) -> bool:
    return actor.has("system", *READERS) or organisation.id == actor.organisation_id


def register() -> None:
    policy.register(
        "user",
        actions={"view": {"admin"}, "edit": {"admin"}, "view_as": {"admin"}},
        visible=lambda actor: true(),
        reaches=_anywhere,
    )
    # Of every feature and territory; nobody may change it.
    policy.register(
        "audit",
        actions={"view": {"admin"}, "export": {"admin"}},
        visible=lambda actor: true(),
        reaches=_anywhere,
    )
    policy.register(
        "organisation",
        actions={
            "view": READERS | {"operator"},
            # Names, telephones and addresses of its people: who works on the towers needs to know
            # who is responsible and their telephone, and nothing else of anybody.
            "contacts": EDITORS | {"operator"},
            "edit": EDITORS,
            "merge": EDITORS,
        },
        visible=visible_organisations,
        reaches=reaches_organisation,
        # It rewrites the owners of towers wherever they stand.
        whole={"merge"},
    )
