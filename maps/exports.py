"""The map as one file: Folium's document of constants, and beside it the data as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import orjson
from sqlalchemy import Row

# What is said once in the document, and by its number in each row.
NAMED = {"commune": "communes", "owner": "owners"}


def one_file(
    towers: Sequence[Row[Any]],
    outlines: Mapping[str, str],
    about: Sequence[tuple[str, str]],
    *,
    title: str,
    day: str,
    language: str,
) -> bytes:
    """A document that shows these towers without any network.

    `outlines` are GeoJSON by the addresses where maps ask for it, `about` is what the map says of
    itself. Everything is put in after Folium is done, as JSON that only our script reads.
    """
    # Folium takes half a second to read: whoever first looks at a map waits for it.
    from maps.render.documents import taken_map
    from maps.render.whole import block

    document = taken_map(language)
    known: dict[str, dict[str, int]] = {name: {} for name in NAMED}
    columns = list(towers[0]._fields) if towers else []
    rows = [
        [
            known[name].setdefault(value, len(known[name])) if name in known and value else value
            for name, value in zip(columns, row, strict=True)
        ]
        for row in towers
    ]
    taken = {
        "title": title,
        "day": day,
        "about": list(about),
        "columns": columns,
        "rows": rows,
        **{NAMED[name]: list(names) for name, names in known.items()},
    }
    parts = (
        document.before,
        f"<title>{escape(title)}</title>",
        *(block(address, geojson) for address, geojson in outlines.items()),
        block("towers", orjson.dumps(taken).decode()),
        document.after,
    )
    return "".join(parts).encode()
