"""Run confined: the document in a file of YAML, of plain data alone.

It imports nothing of ours but words, so that it begins quickly. A number in base 60 as long as a
file may be takes the library minutes: then this process ends, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from core.confined_child import Refused
from core.words import N_

MAX_DEPTH = 20
# Of integers JSON and the database take no others.
MAX_NUMBER = 2**63
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def answers(path: str) -> Iterator[Any]:
    """What stands in the file, as `document` gives it."""
    yield document(Path(path).read_bytes())


def document(data: bytes) -> Any:
    """What stands in some YAML: mappings, lists, texts, numbers, truths. Raises `Refused`."""
    try:
        text = data.decode("utf-8-sig")
        _check_shape(text)
        found = yaml.load(text, Loader=_Loader)  # noqa: S506
    except UnicodeDecodeError as error:
        raise Refused(N_("This is not a text in UTF-8.")) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise Refused(
            N_("The YAML cannot be read: it is wrong in line %(line)s, column %(column)s"),
            line=mark.line + 1 if mark else 1,
            column=mark.column + 1 if mark else 1,
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Refused(N_("The YAML cannot be read")) from error
    _require_plain(found)
    return found


def _check_shape(text: str) -> None:
    """Raise `Refused` for what could grow beyond the file, or is deeper than a document of ours."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Refused(
                N_("The YAML has an anchor or alias in line %(line)s: write the value out"),
                line=event.start_mark.line + 1 if event.start_mark else 1,
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused(
                    N_("The YAML is nested deeper than %(limit)s levels"), limit=MAX_DEPTH
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Loader(LOADER):
    """Plain data alone, and no key twice: the usual loader would keep the last silently."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        made: dict[Any, Any] = super().construct_mapping(node, deep=True)
        if len(made) != len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands twice", node.start_mark
            )
        return made


def _require_plain(value: Any, where: str = "") -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise Refused(
                    N_("In the YAML a key is no text at “%(place)s”: put it in quotes"),
                    place=f"{where}/{key}"[:200],
                )
            _require_plain(key, where)
            _require_plain(inner, f"{where}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            name = inner.get("key", number) if isinstance(inner, dict) else number
            _require_plain(inner, f"{where}/{name}")
    elif isinstance(value, str):
        if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in value):
            raise Refused(N_("a text has a character that cannot be stored"))
    elif isinstance(value, int | float) and not -MAX_NUMBER <= value < MAX_NUMBER:
        raise Refused(N_("At “%(place)s” stands a number that is too large"), place=where[:200])
    elif not isinstance(value, bool | int | float | None):
        raise Refused(
            N_("At “%(place)s” stands a value that is neither text nor number: put it in quotes"),
            place=where[:200],
        )
