"""PDF from our own HTML, and pictures of it: what `core.documents` does with pages."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import closing
from threading import Lock
from typing import Any

from PIL import ImageFile
from pypdfium2 import PdfDocument
from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

# Importing WeasyPrint makes Pillow take pictures that end too early, in the whole process.
ImageFile.LOAD_TRUNCATED_IMAGES = False
POINTS_PER_INCH = 72


def pdf(html: str, files: Mapping[str, bytes] | None = None) -> bytes:
    """A tagged PDF (PDF/UA-1) of an HTML document with a `lang` and a `title`.

    `files` are the pictures that it names as `own:NAME`. Raises `ForeignFile` when it asks for
    anything else: nothing is fetched, from no host and no folder.
    """
    document = HTML(string=html, base_url="own:", url_fetcher=OwnFiles(files or {}))
    made: bytes = document.write_pdf(pdf_variant="pdf/ua-1")
    return made


# PDFium has one state for the whole process.
_drawing = Lock()


def png(content: bytes, *, dots_per_inch: int) -> bytes:
    """The first page of a PDF of ours as a picture."""
    with _drawing, closing(PdfDocument(content)) as document:
        page = document[0].render(scale=dots_per_inch / POINTS_PER_INCH).to_pil()
    out = io.BytesIO()
    page.save(out, "PNG", dpi=(dots_per_inch, dots_per_inch), optimize=False)
    return out.getvalue()


class ForeignFile(FatalURLFetchingError):
    """A document asked for something that it was not given: a mistake in its HTML."""


class OwnFiles(URLFetcher):
    """Gives a document the bytes in hand, and opens nothing."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=())
        self.files = files

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        name = url.removeprefix("own:")
        if name == url or name not in self.files:
            raise ForeignFile(url)
        return URLFetcherResponse(url, self.files[name])
