"""Documents: what is filled in is text, a template names fields only, nothing is fetched."""

from __future__ import annotations

import io
import zipfile

import pypdfium2
import pytest
from docx import Document
from jinja2 import TemplateError
from PIL import Image
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE as IMAGE
from pypdfium2.raw import FPDF_PAGEOBJ_TEXT as TEXT

from core import documents
from core.documents_pages import ForeignFile


def template(*paragraphs: str) -> bytes:
    document = Document()
    for text in paragraphs:
        document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def texts(content: bytes) -> list[str]:
    return [one.text for one in Document(io.BytesIO(content)).paragraphs]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 30), "red").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "Ủy ban nhân dân tỉnh Đồng Tháp",
        "<b>&amp; ]]></w:t>",
        "{{ 31337*31337 }} {% raw %} {# x",
        "a\nb",
    ],
)
def test_facts_stay_as_they_were_given(text):
    assert texts(documents.docx(template("{{ owner }}"), {"owner": text})) == [text]


def test_letters_that_xml_cannot_hold_are_left_out():
    made = documents.docx(template("{{ owner }}"), {"owner": "a\x00\x0b\x0c\ud800b"})
    assert texts(made) == ["ab"]


def test_lists_and_pictures_are_filled_in():
    made = documents.docx(
        template("{% for one in towers %}{{ one.code }};{% endfor %}", "{{ map }}"),
        {"towers": [{"code": "A"}, {"code": "B"}], "map": documents.Picture(picture(), 40)},
    )
    assert texts(made)[0] == "A;B;"
    names = zipfile.ZipFile(io.BytesIO(made)).namelist()
    assert [name for name in names if name.startswith("word/media/")] == ["word/media/image1.png"]
    shape = Document(io.BytesIO(made)).inline_shapes[0]
    assert (round(shape.width.mm), round(shape.height.mm)) == (40, 20)


@pytest.mark.parametrize(
    "field",
    [
        "{{ owner.__class__.__mro__ }}",
        "{{ owner['__class__'] }}",
        "{{ owner.upper() }}",
        "{{ owner|upper }}",
        "{{ 'a' * 999999999 }}",
        "{{ [1, 2] }}",
        "{% set x = 1 %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% macro x() %}{% endmacro %}",
        "{{ range(9) }}",
        "{{ cycler }}",
        "{{ other }}",
        "{% for a in owners recursive %}{% endfor %}",
        "{% for a in owners %}" * 3 + "{% endfor %}" * 3,
        "{{ owner",
    ],
)
def test_a_template_that_does_more_than_name_fields_is_refused(field):
    with pytest.raises(TemplateError):
        documents.docx(template(field), {"owner": "A", "owners": ["A"]})


def test_a_pdf_has_the_letters_and_the_pictures_it_was_given():
    made = documents.pdf(
        '<html lang="vi"><title>Thông báo</title>'
        '<p style="font-family: Tinos">Đồng Tháp <img src="own:map" alt="Bản đồ">',
        {"map": picture()},
    )
    page = pypdfium2.PdfDocument(made)[0]
    assert "Đồng Tháp" in page.get_textpage().get_text_range()
    fonts = {one.get_font().get_base_name() for one in page.get_objects([TEXT])}
    assert [name.partition("+")[2] for name in fonts] == ["Tinos"]
    assert len(list(page.get_objects([IMAGE]))) == 1


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/x.png", "//example.vn/x", "file:///etc/hostname", "/etc/hostname", "own:x",
     "data:image/png;base64,iVBORw0KGgo="],
)  # fmt: skip
@pytest.mark.parametrize(
    "html", ['<img src="{}" alt="x">', '<link rel="stylesheet" href="{}">',
             '<p style="background: url({})">x']
)  # fmt: skip
def test_a_pdf_asks_for_nothing_that_is_not_in_hand(html, address):
    with pytest.raises(ForeignFile):
        documents.pdf(f'<html lang="vi"><title>x</title>{html.format(address)}', {"map": picture()})
