"""An archive of pictures of the department's own: whole or refused, and given out in parts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core.errors import Invalid
from maps import base
from maps.readers import read_archive
from tests import doors, makers
from tests.doors import answered, refused

PICTURES = b"\x89PNG-1 and \x89PNG-2"
PNG, VECTORS, GZIP, BROTLI = 2, 1, 2, 3


def archive(folder: Path, *, kind: int = PNG, inside: int = GZIP, entries: int = 2) -> Path:
    """An archive whose directory nobody reads here: its head, and what it says is behind it."""
    places = (127, 10, 137, 10, 147, 0, 147, len(PICTURES))
    head = struct.pack(
        "<7sB11Q6B", b"PMTiles", 3, *places, entries, entries, entries, 1, inside, 1, kind, 8, 10
    )
    path = folder / "own.pmtiles"
    path.write_bytes(head.ljust(147, b"\x00") + PICTURES)
    return path


@pytest.fixture
def reader(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "inspector"))


def test_an_archive_is_given_out_in_parts_until_it_is_removed(
    app: Flask, reader: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = archive(tmp_path)
    run = app.test_cli_runner()
    line = ["maps", "layer", "load", str(given), "--kind", "pictures", "--source", "Sở"]
    loaded = run.invoke(args=line)
    assert loaded.exit_code == 0, loaded.output
    (layer,) = answered(reader.get("/map/base.json"), 200)["layers"]
    assert (layer["kind"], layer["source"]) == ("pictures", "Sở")

    address = f"/map/pictures/{layer['id']}.pmtiles"
    part = reader.get(address, headers={"Range": "bytes=147-152"})
    assert (part.status_code, part.data) == (206, PICTURES[:6])
    assert part.headers["Content-Range"] == f"bytes 147-152/{given.stat().st_size}"
    assert part.cache_control.private and part.cache_control.immutable
    assert not part.cache_control.public
    # As the program of the browser begins: more than there is.
    whole = reader.get(address, headers={"Range": "bytes=0-16383"})
    assert (whole.status_code, whole.data) == (206, given.read_bytes())
    open_ended, beyond = ("bytes=5-", "bytes=-5"), ("bytes=0-99999999", "bytes=900-999")
    for ranges in (*open_ended, *beyond, "bytes=0-1,3-4"):
        refused(reader.get(address, headers={"Range": ranges}), 400)
    assert reader.get(address).data == given.read_bytes()
    monkeypatch.setattr(base, "MOST_BYTES", 100)
    refused(reader.get(address), 400)

    assert run.invoke(args=["maps", "layer", "remove", str(layer["id"])]).exit_code == 0
    refused(reader.get(address, headers={"Range": "bytes=0-1"}), 404)
    kept = app.config["SETTINGS"].instance / "maps" / f"{layer['id']}.pmtiles"
    assert not kept.exists()


def test_a_number_of_no_archive_is_not_found(reader: FlaskClient) -> None:
    for number in (1, 2**40):
        refused(reader.get(f"/map/pictures/{number}.pmtiles", headers={"Range": "bytes=0-1"}), 404)


@pytest.mark.parametrize(
    ("facts", "cut", "said"),
    [
        ({"kind": VECTORS}, 0, "no pictures"),
        ({"inside": BROTLI}, 0, "compressed"),
        ({"entries": 0}, 0, "empty"),
        ({}, 1, "too early"),
        ({}, 100, "no PMTiles archive"),
    ],
)
def test_what_no_browser_could_show_is_refused(
    tmp_path: Path, facts: dict[str, int], cut: int, said: str
) -> None:
    path = archive(tmp_path, **facts)
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    with pytest.raises(Invalid, match=said):
        read_archive(path)
