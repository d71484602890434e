"""A document that asks nobody for anything: what it names is put into it.

It is still made of constants alone; data are put between its two halves when Folium is done.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from core.dist import DIST
from maps.render.shell import hashes

ROOT = Path(__file__).resolve().parents[2]
# Where scripts look for files that a document holds itself.
HELD = "/static/dist"
FILES = ROOT / "core" / "static" / "dist"
SIGNS = ROOT / "core" / "assets" / "conditions.svg"
SCRIPT = re.compile(rf'<script src="{DIST}/([^"]+)"></script>')
STYLES = re.compile(rf'<link rel="stylesheet" href="{DIST}/([^"]+)"/>')
ADDRESS = re.compile(r"""url\(["']?(?!data:|#)([^"')]+)["']?\)""")


@dataclass(frozen=True)
class Whole:
    """The halves of a document; its title and its data stand between them."""

    before: str
    after: str


def whole(html: str, held: list[str]) -> Whole:
    """The document with its scripts, styles, fonts and pictures in it, and some of our files under
    their addresses; its policy lets it ask nobody."""
    html = SCRIPT.sub(lambda found: f"<script>{_text(found[1])}</script>", html)
    html = STYLES.sub(lambda found: f"<style>{_styles(found[1])}</style>", html)
    html = html.replace("<body>", f"<body>{_signs()}", 1)
    start, head, rest = html.partition("<head>")
    blocks = "".join(block(f"{HELD}/{name}", _text(name)) for name in held)
    before = f'{start}{head}<meta charset="utf-8">{_policy(html)}{blocks}'
    return Whole(before, rest)


def block(address: str, json: str) -> str:
    """JSON as an element of a document that our script finds by an address.

    It is text to the browser, and `<` does not stand in it: nothing in it ends the element.
    """
    safe = json.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" data-address="{address}">{safe}</script>'


def _text(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def _styles(name: str) -> str:
    """A style sheet whose fonts and pictures stand in itself."""
    folder = (FILES / name).parent

    def inside(found: re.Match[str]) -> str:
        path = folder / found[1]
        kind = mimetypes.guess_type(path.name)[0] or "font/woff2"
        return f"url(data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()})"

    return ADDRESS.sub(inside, _text(name))


def _signs() -> str:
    return SIGNS.read_text(encoding="utf-8").replace("<svg ", '<svg style="display:none" ', 1)


def _policy(html: str) -> str:
    """A policy that allows the document's own scripts by their hashes, and to ask nobody."""
    return (
        '<meta http-equiv="Content-Security-Policy" content="'
        f"default-src 'none'; script-src {hashes(html)}; style-src 'unsafe-inline'; "
        "img-src data:; font-src data:; base-uri 'none'; form-action 'none'\">"
    )
