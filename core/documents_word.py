"""DOCX from a template with fields: what `core.documents` does with Word documents.

What is filled in is text, whatever it looks like. A template may come from the department: it can
name, compare and repeat the facts that it is given, and nothing else.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.exceptions import InvalidXmlError
from docx.shared import Mm
from docxtpl import DocxTemplate, InlineImage
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from core.documents import Picture
from core.errors import Invalid
from core.file_types import TYPES
from core.words import N_

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
LOOP = {"index": 1, "first": True, "last": True, "length": 1}
# What a template may unpack to, and of how many parts it may be.
MAX_UNPACKED, MAX_PARTS = 40 * 2**20, 400
EXTERNAL = re.compile(rb"""<Relationship\b[^>]*TargetMode\s*=\s*["']External["'][^>]*>""")


def docx(template: bytes, facts: Mapping[str, Any]) -> bytes:
    """The template filled in with facts: texts, numbers, truths, pictures, lists and mappings.

    Raises `jinja2.TemplateError` for a template that does more than name them, or names others.
    """
    document = DocxTemplate(io.BytesIO(template))
    document.render(_filled(facts, document), jinja_env=Fields(), autoescape=True)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def check_template(path: Path, filename: str, sample: Mapping[str, Any]) -> None:
    """Raise `Invalid` unless a DOCX can be filled in with facts like the sample.

    It must be a document without macros, entities and parts from elsewhere, name known fields only,
    in branches that are not taken too, and be readable when it is filled in.
    """
    if PurePath(filename).suffix.lower() != ".docx" or not _is_docx(path):
        raise _refused(N_("This is not a Word document (DOCX) without macros"))
    try:
        _check_parts(path)
        content = path.read_bytes()
        document = DocxTemplate(io.BytesIO(content))
        document.render(_filled(sample, document), jinja_env=Fields(sample), autoescape=True)
        out = io.BytesIO()
        document.save(out)
        DocxTemplate(out).init_docx()
    except UnknownField as error:
        message = N_("The template names a field that is not known: %(field)s")
        raise Invalid(message, fields={"file": [(message, {"field": error.field})]},
                      field=error.field) from error  # fmt: skip
    except TemplateError as error:
        message = N_(
            "The template does more than name fields, or a field is not closed: %(reason)s"
        )
        reason = str(error)[:200]
        raise Invalid(message, fields={"file": [(message, {"reason": reason})]},
                      reason=reason) from error  # fmt: skip
    except UNREADABLE as error:
        raise _refused(N_("This Word document is damaged, or cannot be filled in")) from error


# What python-docx, lxml (a syntax error) and zipfile raise for broken documents.
UNREADABLE = (
    zipfile.BadZipFile, SyntaxError, PackageNotFoundError, InvalidXmlError, KeyError,
    ValueError, AttributeError, NotImplementedError, OSError, EOFError,
)  # fmt: skip


def _refused(message: str) -> Invalid:
    return Invalid(message, fields={"file": [message]})


def _is_docx(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return TYPES["docx"].fits(head, path)


def _check_parts(path: Path) -> None:
    with zipfile.ZipFile(path) as parts:
        found = parts.infolist()
        if len(found) > MAX_PARTS or sum(one.file_size for one in found) > MAX_UNPACKED:
            raise _refused(N_("This Word document is too large inside"))
        for one in found:
            if not one.filename.lower().endswith((".xml", ".rels")):
                continue
            content = parts.read(one)
            if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
                raise _refused(N_("This Word document defines entities of its own"))
            for relation in EXTERNAL.findall(content):
                if b"/hyperlink" not in relation:
                    raise _refused(N_("This Word document loads a part from elsewhere"))


class UnknownField(TemplateSyntaxError):
    """A template names a fact that there is not."""

    def __init__(self, field: str, line: int) -> None:
        super().__init__(f"there is no field {field}", line)
        self.field = field


class Fields(SandboxedEnvironment):
    """Jinja reduced to fields: whatever else a template says is a syntax error.

    With a `sample` of the facts, so is a field that the sample does not have.
    """

    def __init__(self, sample: Mapping[str, Any] | None = None) -> None:
        super().__init__(autoescape=True, undefined=StrictUndefined)
        self.globals.clear()
        self.sample = sample

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _check(tree, loops=0)
        if self.sample is not None:
            _look_up(tree, self.sample)
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


def _look_up(node: nodes.Node, scope: Mapping[str, Any]) -> Any:
    """What a node stands for in the sample; raises `UnknownField`. Of a list, the first counts."""
    if isinstance(node, nodes.Name):
        if node.name not in scope:
            raise UnknownField(node.name, node.lineno)
        return scope[node.name]
    if isinstance(node, nodes.Getattr):
        whole = _look_up(node.node, scope)
        if not isinstance(whole, Mapping) or node.attr not in whole:
            raise UnknownField(node.attr, node.lineno)
        return whole[node.attr]
    if isinstance(node, nodes.For):
        several = _look_up(node.iter, scope)
        if not isinstance(several, list) or not isinstance(node.target, nodes.Name):
            raise TemplateSyntaxError("only lists can be repeated", node.lineno)
        inside = {**scope, node.target.name: several[0], "loop": LOOP}
        for child in (*node.body, *([node.test] if node.test else [])):
            _look_up(child, inside)
        for child in node.else_:
            _look_up(child, scope)
        return None
    for child in node.iter_child_nodes():
        _look_up(child, scope)
    return None


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
