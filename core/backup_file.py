"""A backup as one file: a tar whose last member says what the others must be, perhaps encrypted.

It is written and read as a stream: memory stays small however much there is, and whoever reads
needs no place to unpack. Names, sizes and SHA-256 stand in `manifest.jsonl` at its end, one line a
member, in the same order, and behind them one line about the whole: a file that was cut off has
none. Behind the tar stands the SHA-256 of all of it, so that not even its empty bytes may differ.
Encryption is age (https://age-encryption.org) by pyrage, or GnuPG where it is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import pyrage

PIECE = 1 << 20
MANIFEST = "manifest.jsonl"
AGE = b"age-encryption.org/"
# What the names of backups begin with, and where in the instance they lie if nobody says where.
NAME = "thap-canh"
FOLDER = "backups"
# What stands behind the tar: its hash, filled up to a block of it.
TRAILER = 512


class BackupError(RuntimeError):
    """A backup cannot be made, read or restored; the message says why."""


class Writer:
    """Members of a backup, one after another."""

    def __init__(self, into: IO[bytes]) -> None:
        self._into = _HashingInto(into)
        # Written as GNU tar does: everybody can look into a backup without us.
        self._tar = tarfile.TarFile(
            fileobj=cast(Any, self._into), mode="w", format=tarfile.GNU_FORMAT
        )
        self._lines = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - closed at the end
        self.members = 0
        self.bytes = 0

    def add(self, name: str, size: int, content: IO[bytes], mode: int = 0o600) -> str:
        """Write a member of this size; returns its SHA-256."""
        facts = tarfile.TarInfo(name)
        facts.size, facts.mode = size, mode
        hashing = _Hashing(content)
        self._tar.addfile(facts, hashing)
        # The library remembers every member.
        self._tar.members.clear()  # type: ignore[attr-defined]
        digest = hashing.digest.hexdigest()
        line = {"name": name, "size": size, "sha256": digest}
        self._lines.write(json.dumps(line).encode() + b"\n")
        self.members += 1
        self.bytes += size
        return digest

    def add_bytes(self, name: str, content: bytes) -> None:
        self.add(name, len(content), io.BytesIO(content))

    def end(self, about: dict[str, Any]) -> None:
        """Write the manifest, and with it the end."""
        whole = {"members": self.members, "bytes": self.bytes, **about}
        self._lines.write(json.dumps(whole, ensure_ascii=False).encode() + b"\n")
        size = self._lines.tell()
        self._lines.seek(0)
        facts = tarfile.TarInfo(MANIFEST)
        facts.size, facts.mode = size, 0o600
        self._tar.addfile(facts, self._lines)
        self._tar.close()
        self._lines.close()
        self._into.write(trailer_of(self._into.digest))


def trailer_of(digest: Any) -> bytes:
    return f"sha256 {digest.hexdigest()}\n".encode().ljust(TRAILER, b"\0")


class _HashingInto:
    """A stream whose content is hashed while it is written."""

    def __init__(self, into: IO[bytes]) -> None:
        self._into, self._place = into, 0
        self.digest = hashlib.sha256()

    def write(self, piece: bytes) -> int:
        self.digest.update(piece)
        self._place += len(piece)
        return self._into.write(piece)

    def tell(self) -> int:
        return self._place


class _BeforeTrailer:
    """A stream that is hashed while it is read, but for its trailer."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._held = b""
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        waiting = self._held + piece
        self._digest.update(waiting[:-TRAILER])
        self._held = waiting[-TRAILER:]
        return piece

    def check(self) -> None:
        """Read to the end; raises `BackupError` where anything is not as it was written."""
        while self.read(PIECE):
            pass
        if self._held != trailer_of(self._digest):
            raise BackupError("This backup is damaged: it is not what was written")


class _Hashing:
    """A stream whose content is hashed while it is read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._content.read(size)
        self.digest.update(piece)
        return piece


@dataclass(frozen=True)
class Member:
    """What a reader meets; its content must be read before the next one."""

    name: str
    size: int
    content: IO[bytes]


def read(
    path: Path, identity: Path | None, take: Callable[[Member], None] | None = None
) -> dict[str, Any]:
    """Read a whole backup, compare every member with the manifest; returns what it says of itself.

    `take` is given each member and may read its content. Raises `BackupError` at the end for
    what is damaged, missing or too much, so whoever takes must not trust before this returns.
    """
    with opened(path, identity) as stream, tempfile.TemporaryFile("w+b") as lines, readable():
        hashed = _BeforeTrailer(stream)
        about = None
        for member in members(hashed):
            if member.name == MANIFEST:
                lines.seek(0)
                about = _compare(member, lines)
                continue
            hashing = _Hashing(member.content)
            if take is not None:
                take(Member(member.name, member.size, hashing))  # type: ignore[arg-type]
            while hashing.read(PIECE):
                pass
            line = {
                "name": member.name,
                "size": member.size,
                "sha256": hashing.digest.hexdigest(),
            }
            lines.write(json.dumps(line).encode() + b"\n")
        if about is None:
            raise BackupError("This backup was cut off: its end, with the manifest, is missing")
        hashed.check()
        return about


def _compare(manifest: Member, lines: IO[bytes]) -> dict[str, Any]:
    about: dict[str, Any] | None = None
    for number, line in enumerate(manifest.content):
        try:
            said = json.loads(line)
        except ValueError as error:
            raise BackupError("The manifest of this backup is damaged") from error
        if "members" in said:
            about = said
            if number != said["members"] or lines.readline():
                raise BackupError("This backup holds more or fewer members than it says")
            continue
        found = lines.readline()
        if not found:
            raise BackupError(f"{said['name']} is missing in this backup")
        here = json.loads(found)
        if here != said:
            raise BackupError(f"{here['name']} is damaged: it is not what the manifest says")
        name = Path(said["name"]).name
        if is_hash(name) and name != said["sha256"]:
            raise BackupError(f"{said['name']} is not the file that its name says")
    if about is None:
        raise BackupError("The manifest of this backup was cut off")
    return about


def is_hash(name: str) -> bool:
    return len(name) == 64 and all(letter in "0123456789abcdef" for letter in name)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Whatever is wrong with a tar is said as a `BackupError`."""
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(
            f"This is no backup of this service, or it is damaged: {error}"
        ) from error


def members(stream: Any) -> Iterator[Member]:
    """The members of a stream; raises `BackupError` where it is no backup or damaged."""
    with readable(), tarfile.open(fileobj=stream, mode="r|") as tar:
        for facts in tar:
            content = tar.extractfile(facts) if facts.isreg() else None
            if content is None:
                raise BackupError(f"{facts.name} in this backup is no file")
            yield Member(facts.name, facts.size, content)
            tar.members.clear()  # type: ignore[attr-defined]


# Encryption.


@contextlib.contextmanager
def created(path: Path, recipient: str) -> Iterator[IO[bytes]]:
    """What is written in the block becomes the file, whole or not at all; for its owner alone."""
    remove_cut_off(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            # The kernel lets go of it with us, however we end: so others know whether we go on.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with encrypted(file, recipient) as stream:
                yield stream
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        part.unlink(missing_ok=True)


def remove_cut_off(folder: Path) -> None:
    """Remove what backups that were killed have left in a folder: it may be as large as a whole."""
    for part in folder.glob(f".{NAME}-*.part"):
        with contextlib.suppress(OSError), part.open("rb") as file:
            # Refused where somebody is still writing it, and where the disk knows no locks.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def path_for(instance: Path, given: Path | None, recipient: str, *, now: datetime) -> Path:
    """Where a backup of this moment lies: at the given path, or by a name of ours in a folder.

    Without a folder it is that of the instance.
    """
    if given is not None and not given.is_dir():
        return given.absolute()
    folder = given or instance / FOLDER
    return folder.absolute() / f"{NAME}-{now:%Y%m%d-%H%M%S}.tar{suffix_of(recipient)}"


def older_than(folder: Path, keep: int) -> list[Path]:
    """The backups of a folder but the newest so many: those whose name is of `path_for`."""
    named = re.compile(rf"{NAME}-\d{{8}}-\d{{6}}\.tar(\.age|\.gpg)?")
    found = (path for path in folder.iterdir() if named.fullmatch(path.name) and path.is_file())
    # The moment stands in the name: a copy has another time of change.
    return sorted(found, key=lambda path: path.name[: len(NAME) + 16], reverse=True)[keep:]


def suffix_of(recipient: str) -> str:
    if not recipient:
        return ""
    return ".age" if is_age(recipient) else ".gpg"


def is_age(recipient: str) -> bool:
    return recipient.startswith(("age1", "ssh-"))


@contextlib.contextmanager
def encrypted(file: IO[bytes], recipient: str) -> Iterator[IO[bytes]]:
    """A stream that encrypts into a file for a recipient; the file itself without one."""
    if not recipient:
        yield file
    elif is_age(recipient):
        try:
            if recipient.startswith("ssh-"):
                known: Any = pyrage.ssh.Recipient.from_str(recipient)
            else:
                known = pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError as error:
            raise BackupError(f"{recipient} is no recipient of age: {error}") from error
        with _piped(lambda reader: pyrage.encrypt_io(reader, file, [known])) as writer:
            yield writer
    else:
        command = [gpg(), "--batch", "--yes", "--trust-model", "always", "--compress-algo", "none",
                   "--encrypt", "--recipient", recipient]  # fmt: skip
        with subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.PIPE
        ) as program:
            assert program.stdin and program.stderr
            try:
                yield program.stdin
                program.stdin.close()
            except BrokenPipeError:
                # It ended before us, and says why; what it did not take is lost.
                with contextlib.suppress(BrokenPipeError):
                    program.stdin.close()
            said = program.stderr.read().decode(errors="replace")
        if program.returncode != 0:
            raise BackupError(f"GnuPG could not encrypt: {said.strip()}")


def gpg() -> str:
    found = shutil.which("gpg")
    if found is None:
        raise BackupError("GnuPG is not installed: install gnupg, or take a recipient of age")
    return found


@contextlib.contextmanager
def _piped(work: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """A stream to write to, which `work` reads in a thread of its own."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def run() -> None:
        with os.fdopen(reading, "rb") as reader:
            try:
                work(reader)
            except BaseException as error:  # told to whoever writes
                failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        with os.fdopen(writing, "wb") as writer:
            yield writer
    except BrokenPipeError as error:
        thread.join()
        raise BackupError(f"The backup could not be encrypted: {failed}") from error
    thread.join()
    if failed:
        raise BackupError(f"The backup could not be encrypted: {failed[0]}") from failed[0]


@contextlib.contextmanager
def opened(path: Path, identity: Path | None) -> Iterator[IO[bytes]]:
    """The tar in a backup, decrypted where it is encrypted. Who stops early is not waited for."""
    with path.open("rb") as file:
        begin = file.read(512)
        file.seek(0)
        if begin[257:262] == b"ustar":
            yield file
        elif begin.startswith(AGE):
            with _decrypted(file, identities_of(identity)) as stream:
                yield stream
        else:
            # The program reads behind what was read for us.
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            with subprocess.Popen(  # noqa: S603 - our own command
                [gpg(), "--batch", "--quiet", "--decrypt"], stdin=file, stdout=subprocess.PIPE
            ) as program:
                assert program.stdout
                try:
                    yield program.stdout
                except BackupError as error:
                    program.stdout.close()
                    if program.wait() > 0:
                        raise BackupError("GnuPG could not decrypt this backup") from error
                    raise
                program.stdout.close()


def identities_of(path: Path | None) -> list[Any]:
    """The secret keys in a file as age-keygen writes it, or in one of ssh."""
    if path is None:
        raise BackupError("This backup is encrypted with age: name the secret key (--identity)")
    content = path.read_bytes()
    try:
        if content.startswith(b"-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = content.decode().splitlines()
        return [
            pyrage.x25519.Identity.from_str(line.strip())
            for line in lines
            if line.strip().startswith("AGE-SECRET-KEY-")
        ]
    except (pyrage.IdentityError, UnicodeDecodeError) as error:
        raise BackupError(f"{path} holds no secret key of age: {error}") from error


@contextlib.contextmanager
def _decrypted(file: IO[bytes], identities: list[Any]) -> Iterator[IO[bytes]]:
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def run() -> None:
        with os.fdopen(writing, "wb") as writer:
            try:
                pyrage.decrypt_io(file, writer, identities)
            except BaseException as error:  # told to whoever reads
                failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    stopped = False
    try:
        with os.fdopen(reading, "rb") as reader:
            yield reader
            stopped = reader.read(1) != b""
    except BackupError as error:
        thread.join()
        if failed:
            raise BackupError(f"The backup could not be decrypted: {failed[0]}") from error
        raise
    thread.join()
    if failed and not stopped:
        raise BackupError(f"The backup could not be decrypted: {failed[0]}") from failed[0]
