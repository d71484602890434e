"""Documents for people: DOCX from a template with fields, PDF from our own HTML.

The libraries that set them take a second to read: they are read with the first document, not by
every command and worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A picture among the facts of a DOCX: JPEG or PNG, so many millimetres wide."""

    content: bytes
    width_mm: float


def docx(template: bytes, facts: Mapping[str, Any]) -> bytes:
    """The template filled in with facts: texts, numbers, truths, pictures, lists and mappings.

    Raises `jinja2.TemplateError` for a template that does more than name them, or names others.
    """
    from core import documents_word

    return documents_word.docx(template, facts)


def check_template(path: Path, filename: str, sample: Mapping[str, Any]) -> None:
    """Raise `Invalid` unless a DOCX can be filled in with facts like the sample.

    It must be a document without macros, entities and parts from elsewhere, name known fields only,
    in branches that are not taken too, and be readable when it is filled in.
    """
    from core import documents_word

    documents_word.check_template(path, filename, sample)


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
