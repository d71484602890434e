"""The texts of checklist items in one language, each by the version that judged with it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspections.models import ChecklistVersion
from inspections.services.checklists import catalogue_of


class ItemTexts:
    """What each version of the checklist calls its items: old answers keep the words they had."""

    def __init__(self, versions: Mapping[int, Mapping[str, str]]) -> None:
        self.versions = versions

    def of(self, version_id: int, key: str) -> str:
        """The text of an item in a version; its code where that version has no such item."""
        return self.versions.get(version_id, {}).get(key, key)

    def by_place(self) -> dict[str, str]:
        """All texts by `version/code`, for a look-up that the database makes."""
        return {
            place(version, key): text
            for version, texts in self.versions.items()
            for key, text in texts.items()
        }


def place(version_id: int, key: str) -> str:
    return f"{version_id}/{key}"


def item_texts(session: Session, language: str) -> ItemTexts:
    """The texts of all versions that judged something, or may."""
    versions = session.scalars(
        select(ChecklistVersion)
        .where(ChecklistVersion.status != "draft")
        .order_by(ChecklistVersion.id)
    )
    return ItemTexts(
        {
            version.id: {
                item.key: item.text(language) for item in catalogue_of(session, version).items
            }
            for version in versions
        }
    )
