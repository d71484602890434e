"""The texts of checklist items in one language, each by the version that judged with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspections.models import ChecklistVersion
from inspections.rules.catalogue import Item
from inspections.services.checklists import LOAD_SAFETY_ITEM, catalogue_of


class ItemTexts:
    """What each version of the checklist calls its items: old answers keep the words they had."""

    def __init__(self, versions: Mapping[int | None, Mapping[str, str]]) -> None:
        self.versions = versions

    def of(self, version_id: int | None, key: str) -> str:
        """The text of an item in a version, or of one that stands beside all of them (`None`);
        its code where there is no such item."""
        beside = self.versions.get(None, {}).get(key, key)
        return self.versions.get(version_id, {}).get(key, beside)

    def by_place(self) -> dict[str, str]:
        """All texts by `version/code`, for a look-up that the database makes."""
        return {
            place(version, key): text
            for version, texts in self.versions.items()
            for key, text in texts.items()
        }


def place(version_id: int | None, key: str) -> str:
    return f"{'' if version_id is None else version_id}/{key}"


def item_texts(session: Session, language: str) -> ItemTexts:
    """The texts of all versions that judged something, or may."""
    versions = session.scalars(
        select(ChecklistVersion)
        .where(ChecklistVersion.status != "draft")
        .order_by(ChecklistVersion.id)
    )
    items: dict[int | None, Sequence[Item]] = {None: (LOAD_SAFETY_ITEM,)}
    for version in versions:
        items[version.id] = catalogue_of(session, version).items
    return ItemTexts(
        {number: {item.key: item.text(language) for item in of} for number, of in items.items()}
    )
