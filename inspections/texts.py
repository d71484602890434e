"""The texts of checklist items in one language, of all versions: old answers stay readable."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from inspections.models import ChecklistVersion
from inspections.services.checklists import catalogue_of


def item_texts(session: Session, language: str) -> dict[str, str]:
    """Item key → text; where versions differ, the newest says it."""
    texts: dict[str, str] = {}
    for version in session.scalars(
        select(ChecklistVersion)
        .order_by(ChecklistVersion.version)
        .options(undefer(ChecklistVersion.content))
    ):
        catalogue = catalogue_of(session, version)
        texts.update({item.key: item.text(language) for item in catalogue.items})
    return texts
