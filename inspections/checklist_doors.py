"""What the pages of the checklist share: a version, a draft that a form was made from, its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from flask import render_template, request
from sqlalchemy.orm import Session

from core.db import current_session, transaction
from core.errors import NotFound, PreconditionFailed
from core.guard import current_actor
from core.i18n import current_language
from core.policy import allows
from core.words import N_
from inspections import checklist_files as files
from inspections.item_words import level_text, structures_text
from inspections.models import ChecklistVersion
from inspections.queries import lists
from inspections.services import checklists, drafts


def the_version(number: int) -> ChecklistVersion:
    found = lists.checklist_version(current_session(), number)
    if found is None:
        raise NotFound(N_("There is no version %(version)s of the checklist"), version=number)
    return found


@contextmanager
def held_draft(number: int) -> Iterator[tuple[Session, ChecklistVersion]]:
    """The draft that a form was made from, held in a transaction; raises where it changed since."""
    the_version(number)
    with transaction() as session:
        draft = drafts.held(session, number)
        if request.form.get("revision") != str(draft.revision):
            raise PreconditionFailed(N_("Somebody changed this draft in the meantime"))
        yield session, draft


def version_page(
    version: ChecklistVersion,
    errors: Mapping[str, Sequence[str]] | None = None,
    given: Mapping[str, str] | None = None,
) -> str:
    """All items of a version by their groups; `errors` by the codes of items or by fields."""
    language = current_language()
    catalogue = checklists.catalogue_of(current_session(), version)
    everything = frozenset(key for key, one in catalogue.structure_types.items() if one.inspectable)
    groups = [
        (
            group,
            [
                {
                    "item": item,
                    "levels": [
                        (one.severity, level_text(one, item, catalogue, language))
                        for one in item.levels
                    ],
                    "structures": ""
                    if item.applies_to == everything
                    else structures_text(item.applies_to, catalogue, language),
                }
                for item in catalogue.items
                if item.group == group.key
            ],
        )
        for group in catalogue.groups
    ]
    return render_template(
        "inspections/checklists/version.html",
        version=version,
        catalogue=catalogue,
        groups=groups,
        errors=errors,
        given=given or {},
        editable=version.status == "draft" and allows(current_actor(), "checklist.edit"),
        endings=files.ENDINGS,
    )
