"""What the doors of this feature share: the photo store of this deployment."""

from __future__ import annotations

from flask import current_app

from core.settings import Settings
from inspections.services.photos import PhotoStore


def photo_store() -> PhotoStore:
    settings: Settings = current_app.config["SETTINGS"]
    return PhotoStore(
        folder=settings.instance / "photos",
        max_bytes=settings.max_photo_bytes,
        max_pixels=settings.max_photo_pixels,
    )
