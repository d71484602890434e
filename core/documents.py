"""Documents for people: DOCX from a template with fields, PDF from our own HTML.

What is filled in is text, whatever it looks like. A template may come from the department: it can
name, compare and repeat the facts that it is given, and nothing else.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docx.shared import Mm
from docxtpl import DocxTemplate, InlineImage
from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment
from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

# What XML cannot hold, and what docxtpl would take for a page break or a paragraph.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# The whole language of templates. Without calls, filters and sums it computes nothing.
LANGUAGE = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Const,
    nodes.For,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.Not,
    nodes.And,
    nodes.Or,
)
DEEPEST_LOOP = 2


@dataclass(frozen=True)
class Picture:
    """A picture among the facts of a DOCX: JPEG or PNG, so many millimetres wide."""

    content: bytes
    width_mm: float


def docx(template: bytes, facts: Mapping[str, Any]) -> bytes:
    """The template filled in with facts: texts, numbers, truths, pictures, lists and mappings.

    Raises `jinja2.TemplateError` for a template that does more than name them, or names others.
    """
    document = DocxTemplate(io.BytesIO(template))
    document.render(_filled(facts, document), jinja_env=Fields(), autoescape=True)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


class Fields(SandboxedEnvironment):
    """Jinja reduced to fields: whatever else a template says is a syntax error."""

    def __init__(self) -> None:
        super().__init__(autoescape=True, undefined=StrictUndefined)
        self.globals.clear()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _check(tree, loops=0)
        return tree


def _check(node: nodes.Node, *, loops: int) -> None:
    loops += isinstance(node, nodes.For)
    hidden = isinstance(node, nodes.Getattr) and node.attr.startswith("_")
    recursive = isinstance(node, nodes.For) and node.recursive
    if not isinstance(node, LANGUAGE) or hidden or recursive or loops > DEEPEST_LOOP:
        raise TemplateSyntaxError(
            f"a template may only name fields: {type(node).__name__}", node.lineno
        )
    for child in node.iter_child_nodes():
        _check(child, loops=loops)


def _filled(value: Any, document: DocxTemplate) -> Any:
    """Facts as docxtpl takes them."""
    if isinstance(value, Picture):
        return InlineImage(document, io.BytesIO(value.content), width=Mm(value.width_mm))
    if isinstance(value, str):
        return UNSEEN.sub("", value)
    if isinstance(value, Mapping):
        return {key: _filled(one, document) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, document) for one in value]
    return value


def pdf(html: str, files: Mapping[str, bytes] | None = None) -> bytes:
    """A tagged PDF (PDF/UA-1) of an HTML document with a `lang` and a `title`.

    `files` are the pictures that it names as `own:NAME`. Raises `ForeignFile` when it asks for
    anything else: nothing is fetched, from no host and no folder.
    """
    document = HTML(string=html, base_url="own:", url_fetcher=OwnFiles(files or {}))
    made: bytes = document.write_pdf(pdf_variant="pdf/ua-1")
    return made


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
