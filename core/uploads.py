"""Files between preview and confirmation: kept for the person who sent them, for a day."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from flask import current_app, request

from core.errors import Invalid, NotFound
from core.guard import current_actor
from core.words import N_

TOKEN = re.compile(r"[0-9a-f]{32}\Z")
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Upload:
    """A file as it was sent: where it lies now, and what it was called."""

    token: str
    path: Path
    filename: str

    def discard(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)


def _folder() -> Path:
    folder: Path = current_app.config["SETTINGS"].instance / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def keep(field: str = "file") -> Upload:
    """Keep the file in a field of the request; raises `Invalid` where there is none."""
    sent = request.files.get(field)
    if sent is None or not sent.filename:
        message = N_("Choose a file")
        raise Invalid(message, fields={field: [message]})
    _forget_old_ones()
    token = uuid.uuid4().hex
    folder = _folder() / f"{current_actor().id}-{token}"
    folder.mkdir(mode=0o700)
    upload = Upload(token, folder / "file", sent.filename[:200])
    (folder / "name").write_text(upload.filename, encoding="utf-8", errors="replace")
    sent.save(upload.path)
    return upload


def kept(token: str) -> Upload:
    """The file that this person sent; raises `NotFound` for another's or a lost one."""
    folder = _folder() / f"{current_actor().id}-{token}"
    if not TOKEN.match(token) or not (folder / "file").exists():
        raise NotFound(N_("The uploaded file is gone: upload it again"))
    return Upload(token, folder / "file", (folder / "name").read_text(encoding="utf-8"))


def _forget_old_ones() -> None:
    for folder in _folder().iterdir():
        try:
            old = time.time() - folder.stat().st_mtime > KEPT_SECONDS
        except FileNotFoundError:
            # Somebody else's request has just removed it.
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)
