"""Documents for people: DOCX from a template with fields, PDF from our own HTML.

The libraries that set them take a second to read: they are read with the first document, not by
every command and worker.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import confined
from core.errors import DomainError, Invalid

CPU_SECONDS = 60
MEMORY_BYTES = 800_000_000


@dataclass(frozen=True)
class Picture:
    """A picture among the facts of a DOCX: JPEG or PNG, so many millimetres wide."""

    content: bytes
    width_mm: float


def docx(template: bytes, facts: Mapping[str, Any]) -> bytes:
    """The template filled in with facts: texts, numbers, truths, pictures, lists and mappings.

    Raises `jinja2.TemplateError` for a template that does more than name them, or names others.
    The template is one of ours: somebody else's goes to `docx_from`.
    """
    from core import documents_word

    return documents_word.docx(template, facts)


def docx_from(path: Path, facts: Mapping[str, Any]) -> bytes:
    """The same with the template that somebody sent, in a process of its own with limits.

    Raises `Invalid` where it cannot be filled in: what a few rows did not show, many may.
    """
    return base64.b64decode(_confined(path, "template.docx", facts, "fill"))


def check_template(path: Path, filename: str, sample: Mapping[str, Any]) -> None:
    """Raise `Invalid` unless a DOCX can be filled in with facts like the sample.

    It must be a document without macros, entities and parts from elsewhere, name known fields only,
    in branches that are not taken too, and be readable when it is filled in. That is found out in a
    process of its own.
    """
    try:
        _confined(path, filename, sample, "check")
    except DomainError as error:
        message, facts = error.message, error.facts
        raise Invalid(message, fields={"file": [(message, facts)]}, **facts) from error


def _confined(path: Path, filename: str, facts: Mapping[str, Any], wanted: str) -> Any:
    with tempfile.NamedTemporaryFile(prefix="thap-canh-", suffix=".json") as file:
        file.write(json.dumps(facts, default=_picture).encode())
        file.flush()
        arguments = (str(path), filename.replace("\x00", ""), file.name, wanted)
        said = confined.answers(
            "core.template_child",
            *arguments,
            memory_bytes=MEMORY_BYTES,
            cpu_seconds=CPU_SECONDS,
            reads=(path, file.name),
        )
        with closing(said):
            return next(said)


def _picture(value: Any) -> Any:
    """A picture as the facts in JSON have it."""
    if not isinstance(value, Picture):
        raise TypeError(f"no fact of a document: {type(value).__name__}")
    content = base64.b64encode(value.content).decode()
    return {"picture in base64": content, "width_mm": value.width_mm}


def pdf(html: str, files: Mapping[str, bytes] | None = None) -> bytes:
    """A tagged PDF (PDF/UA-1) of an HTML document with a `lang` and a `title`.

    `files` are the pictures that it names as `own:NAME`. Raises `ForeignFile` when it asks for
    anything else: nothing is fetched, from no host and no folder.
    """
    from core import documents_pages

    return documents_pages.pdf(html, files)


def png(content: bytes, *, dots_per_inch: int) -> bytes:
    """The first page of a PDF of ours as a picture."""
    from core import documents_pages

    return documents_pages.png(content, dots_per_inch=dots_per_inch)
