"""Run confined by `core.documents`: a Word template that somebody sent, checked or filled in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import documents_word
from core.confined_child import Refused
from core.documents import Picture
from core.errors import Invalid


def answers(path: str, filename: str, facts: str, wanted: str) -> Iterator[Any]:
    """Whether the template can be filled in with facts like those in the file `facts` (`check`),
    or the document that it makes of them, in base64 (`fill`)."""
    given = json.loads(Path(facts).read_bytes(), object_hook=_with_pictures)
    if wanted == "fill":
        yield base64.b64encode(documents_word.docx(Path(path).read_bytes(), given)).decode()
        return
    try:
        documents_word.check_template(Path(path), filename, given)
    except Invalid as error:
        raise Refused(error.message, **error.facts) from error
    yield True


def _with_pictures(given: dict[str, Any]) -> Any:
    if given.keys() == {"picture in base64", "width_mm"}:
        return Picture(base64.b64decode(given["picture in base64"]), given["width_mm"])
    return given
