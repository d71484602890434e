"""Writes what scripts say, `core/static/dist/texts.<language>.json`, in all languages but English.

Run as `python -m core.assets.texts`; the bundles around them are made by build.mjs.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = ROOT / "translations"
DIST = ROOT / "core" / "static" / "dist"

log = logging.getLogger(__name__)


def script_texts() -> dict[str, Path]:
    """Every text that a script under `<feature>/assets/` asks for, with one script that does."""
    found: dict[str, Path] = {}
    for script in sorted(ROOT.glob("*/assets/**/*.js")):
        for _, text, _, _ in extract_from_file(
            "javascript", script, options={"parse_template_string": "true"}
        ):
            if not isinstance(text, str):
                raise ValueError(f"{script}: scripts have no plural forms, yet asks for {text}")
            found[text] = script
    return found


def languages() -> list[str]:
    """The languages that have a catalogue; English, the language of the code, has none."""
    return sorted(path.parents[1].name for path in CATALOGUES.glob("*/LC_MESSAGES/messages.po"))


def catalogue(language: str, domain: str = "messages") -> Catalog:
    path = CATALOGUES / language / "LC_MESSAGES" / f"{domain}.po"
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def translated(language: str) -> dict[str, str]:
    """The texts of scripts in this language; one that is not translated yet is left out."""
    known = catalogue(language)
    texts = {}
    for text in script_texts():
        message = known.get(text)
        if message is not None and message.string and not message.fuzzy:
            texts[text] = str(message.string)
    return dict(sorted(texts.items()))


def write(folder: Path = DIST) -> list[Path]:
    """Write one file a language; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for language in languages():
        path = folder / f"texts.{language}.json"
        path.write_text(
            json.dumps(translated(language), ensure_ascii=False, separators=(",", ":")),
            encoding="utf-8",
        )
        written.append(path)
    return written


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for path in write():
        log.info("wrote %s", path.relative_to(ROOT))
