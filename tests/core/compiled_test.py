"""Templates that are compiled once, and parts that are written once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import DictLoader, Environment
from markupsafe import escape

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


class Words(Environment):
    """An environment as of pages, with a macro that says how often it was asked."""

    def __init__(self) -> None:
        super().__init__(autoescape=True)
        self.asked: list[str] = []
        self.globals["asked"] = lambda word: self.asked.append(str(word)) or word

    def page(self, values: str, **given: Any) -> str:
        macro = "{% macro part(a, b=0) %}<b>{{ asked(a) }}</b>{% endmacro %}"
        return self.from_string(f"{macro}{{{{ once(part, {values}) }}}}").render(**given)


@pytest.fixture
def words() -> Words:
    app = Flask(__name__)
    init_app(app)
    made = Words()
    made.globals["once"] = app.jinja_env.globals["once"]
    return made


def test_a_part_is_written_once_for_the_same_values_and_anew_for_others(words: Words) -> None:
    for word in ("<i>", "<i>", "&", "<i>"):
        assert words.page("word", word=word) == f"<b>{escape(word)}</b>"
    assert words.asked == ["<i>", "&"]


def test_choices_in_a_list_are_told_apart_by_what_is_in_them(words: Words) -> None:
    assert "one" in words.page("choices", choices=["one"])
    assert "two" in words.page("choices", choices=["two"])
    assert len(words.asked) == 2


def test_a_row_with_a_list_in_it_is_written_each_time(words: Words) -> None:
    for _ in range(2):
        assert "bts" in words.page("row", row=("DT-1", ["bts"]))
    assert len(words.asked) == 2


def test_each_language_has_its_own(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in ("vi", "en"):
        monkeypatch.setattr("core.compiled.current_language", lambda spoken=language: spoken)
        words.page("1")
    assert len(words.asked) == 2
