"""Templates that are compiled once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import DictLoader, Environment

from core.compiled import Compiled, init_app


class Counting(Environment):
    """Counts what it compiles."""

    compiled = 0

    def _compile(self, source: str, filename: str) -> Any:
        self.compiled += 1
        return super()._compile(source, filename)


def environment(text: str, folder: Path) -> Counting:
    return Counting(loader=DictLoader({"page": text}), bytecode_cache=Compiled(str(folder)))


def test_a_second_process_compiles_nothing_and_a_changed_text_is_compiled(tmp_path: Path) -> None:
    for text, times in (("{{ a }} one", 1), ("{{ a }} one", 0), ("{{ a }} two", 1)):
        made = environment(text, tmp_path)
        assert made.get_template("page").render(a=1) == text.replace("{{ a }}", "1")
        assert made.compiled == times


def test_pages_need_no_place_to_keep_anything(tmp_path: Path) -> None:
    made = environment("{{ a }}", tmp_path)
    shutil.rmtree(tmp_path)
    assert made.get_template("page").render(a=1) == "1"


def test_a_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsafe(self: Compiled) -> str:
        raise RuntimeError("Cannot determine safe temp directory")

    monkeypatch.setattr(Compiled, "_get_default_cache_dir", unsafe)
    app = Flask(__name__)
    init_app(app)
    assert app.jinja_env.bytecode_cache is None
