"""Files that people send: whole or absent, and named by what is in them."""

from __future__ import annotations

import hashlib
import io

import pytest

from core.files import LONGEST_NAME, FileStore, bare_name


@pytest.fixture
def store(tmp_path) -> FileStore:
    return FileStore(tmp_path / "files", max_bytes=3_000_000, max_pixels=1_000_000)


def test_what_arrives_is_kept_under_its_hash(store: FileStore) -> None:
    content = bytes(range(256)) * 9_000
    with store.arriving(io.BytesIO(content)) as arrival:
        assert arrival is not None
        assert (arrival.sha256, arrival.size) == (hashlib.sha256(content).digest(), len(content))
        store.keep(arrival)
    assert store.path(arrival.sha256).read_bytes() == content
    assert [path for path in store.folder.rglob("*") if path.is_file()] == [
        store.path(arrival.sha256)
    ]


def test_what_is_not_kept_is_gone(store: FileStore) -> None:
    with store.arriving(io.BytesIO(b"x")) as arrival:
        assert arrival is not None
    with pytest.raises(LookupError), store.arriving(io.BytesIO(b"x")):
        raise LookupError("the door changed its mind")
    assert list(store.folder.iterdir()) == []


def test_a_file_that_is_too_long_is_not_read_to_its_end(store: FileStore) -> None:
    stream = io.BytesIO(b"x" * 50_000_000)
    with store.arriving(stream) as arrival:
        assert arrival is None
    assert stream.tell() < 5_000_000
    assert list(store.folder.iterdir()) == []


def test_a_stream_that_breaks_leaves_nothing(store: FileStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("the phone left")

    with pytest.raises(ConnectionResetError), store.arriving(Broken()):
        pass
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\hồ sơ.pdf", "hồ sơ.pdf"),
        ("hồ sơ\u202efdp.exe", "hồ sơfdp.exe"),
        ("a\x00b\r\nSet-Cookie: x.pdf", "abSet-Cookie: x.pdf"),
        ("", ""),
        ("..", ".."),
        ("x" * 300 + ".pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
        ("y" * 300, "y" * LONGEST_NAME),
    ],
)
def test_a_hostile_name_becomes_a_plain_one(sent: str, kept: str) -> None:
    assert bare_name(sent) == kept
