"""The private cluster through what happens to servers: real ones, as root and as a plain user."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from core.cluster import ClusterError, PrivateCluster, cluster_for, with_database
from core.settings import ROOT, Settings

pytestmark = pytest.mark.slow

# What a start does, as a program of its own: it may run as another user and may be killed. It
# becomes that user after its imports: the other one may not be able to read Python or the checkout.
START = """
import encodings.idna, json, os, signal, sys
from pathlib import Path
from core import cluster
if os.geteuid() == 0 and sys.argv[5] != "0":
    os.setgroups([])
    os.setgid(int(sys.argv[6]))
    os.setuid(int(sys.argv[5]))
cluster.SYSTEM_FOLDER = Path(sys.argv[2])
os.umask(int(sys.argv[3], 8))
try:
    found = cluster.cluster_for(Path(sys.argv[4]), Path(sys.argv[1]))
    urls = found.start()
except cluster.ClusterError as error:
    sys.exit(str(error))
print(json.dumps({"home": str(found.home), "pid": found._server(), "url": urls.owner_url}))
sys.stdout.flush()
if len(sys.argv) > 7:
    signal.pause()
"""


@dataclass
class Place:
    """An instance folder of a user, and starts in it."""

    uid: int
    folder: Path
    name: str = "instance"
    umask: str = "022"
    started: list[dict[str, str]] = field(default_factory=list)

    @property
    def instance(self) -> Path:
        return self.folder / self.name

    def child(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-B", "-c", START, str(self.instance),
             str(self.folder / "system"), self.umask, str(self.folder),
             str(self.uid), str(pwd.getpwuid(self.uid).pw_gid), *more],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def read(self, child: subprocess.Popen[str]) -> dict[str, str]:
        assert child.stdout and child.stderr
        line = child.stdout.readline()
        assert line, child.stderr.read()
        self.started.append(json.loads(line))
        return self.started[-1]

    def start(self) -> dict[str, str]:
        child = self.child()
        found = self.read(child)
        child.communicate()
        return found

    def refusal(self) -> str:
        """What a start that must fail says."""
        child = self.child()
        _, said = child.communicate()
        assert child.returncode == 1, said
        assert "Traceback" not in said
        return said

    def cluster(self) -> PrivateCluster:
        """The cluster, for looking at it and for stopping it from here."""
        home = Path(self.started[-1]["home"])
        return PrivateCluster(home, self.instance)

    def make(self, path: Path, mode: int = 0o700, uid: int | None = None) -> Path:
        """A folder of the server's user, or of another."""
        path.mkdir(parents=True)
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, self.server_uid if uid is None else uid, -1)
        return path

    @property
    def server_uid(self) -> int:
        return pwd.getpwnam("postgres").pw_uid if self.uid == 0 else self.uid

    def end(self) -> None:
        for home in {each["home"] for each in self.started}:
            cluster = PrivateCluster(Path(home), self.instance)
            stop(cluster)
            if not cluster.socket_folder().is_relative_to(self.folder):
                shutil.rmtree(cluster.socket_folder(), ignore_errors=True)


def stop(cluster: PrivateCluster) -> bool:
    """Stop the server as whoever we are: root may signal a server of `nobody`."""
    pid = cluster._server()
    if pid is None:
        return False
    os.kill(pid, signal.SIGINT)
    cluster._wait_for_end(pid, 30)
    return True


def ask(url: str, question: str) -> object:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            found = connection.execute(text(question))
            return found.scalar() if found.returns_rows else None
    finally:
        engine.dispose()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def user_of(kind: str) -> int:
    if kind == "root":
        if os.geteuid() != 0:
            pytest.skip("only root can start a cluster as root")
        return 0
    if os.geteuid() != 0:
        return os.geteuid()
    return pwd.getpwnam("nobody").pw_uid


@contextlib.contextmanager
def a_place(kind: str, name: str = "instance") -> Iterator[Place]:
    uid = user_of(kind)
    folder = Path(tempfile.mkdtemp(prefix="thap-canh-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, uid, -1)
    place = Place(uid, folder, name)
    try:
        yield place
    finally:
        place.end()
        shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["root", "user"])
def shared(request) -> Iterator[Place]:
    """One place a kind of user for the tests that leave it as good as they found it."""
    with a_place(request.param) as place:
        yield place


@pytest.fixture
def place(shared: Place) -> Place:
    shared.start()
    return shared


@pytest.fixture
def new_place() -> Iterator[Place]:
    with a_place("user") as place:
        yield place


@pytest.fixture
def root_place() -> Iterator[Place]:
    with a_place("root") as place:
        yield place


def test_a_fresh_start_makes_postgis_for_an_owner_and_an_application(place):
    found = place.started[-1]
    assert "POSTGIS" in str(ask(found["url"], "SELECT postgis_full_version()"))
    app_url = place.cluster().urls("thapcanh").app_url
    assert ask(app_url, "SELECT current_user") == "thapcanh_app"
    assert ask(app_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(found["url"], "SHOW listen_addresses") == ""
    for path in (place.cluster().data, place.cluster().socket_folder()):
        assert path.stat().st_mode & 0o077 == 0
        assert path.stat().st_uid == place.server_uid
    assert [path.stat().st_mode & 0o077 for path in (place.instance / "passwords").iterdir()] == [
        0
    ] * 3


def test_a_second_instance_attaches(place):
    assert place.start()["pid"] == place.start()["pid"]


def test_starts_at_the_same_time_make_one_server(new_place):
    children = [new_place.child() for _ in range(3)]
    assert len({new_place.read(child)["pid"] for child in children}) == 1
    for child in children:
        child.communicate()


def test_the_next_start_adopts_the_server_of_a_killed_application(place):
    application = place.child("stay")
    server = place.read(application)
    ask(server["url"], "CREATE TABLE IF NOT EXISTS kept (n int)")
    application.kill()
    application.communicate()
    assert alive(int(server["pid"]))
    again = place.start()
    assert again["pid"] == server["pid"]
    assert ask(again["url"], "SELECT count(*) FROM kept") == 0


def test_a_killed_server_with_lingering_children_is_mended(place):
    url = place.started[-1]["url"]
    ask(url, "CREATE TABLE IF NOT EXISTS survives (n int)")
    ask(url, "INSERT INTO survives VALUES (1)")
    before = ask(url, "SELECT count(*) FROM survives")
    # A process that only computes does not see that its server died.
    engine = create_engine(url)
    with engine.connect() as connection:
        busy = connection.connection.driver_connection
        assert busy is not None
        child = busy.info.backend_pid
        busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        os.kill(int(place.started[-1]["pid"]), signal.SIGKILL)
        wait_for(lambda: not alive(int(place.started[-1]["pid"])))
        assert alive(child)
        again = place.start()
        assert not alive(child)
        connection.invalidate()
    engine.dispose()
    assert again["pid"] != place.started[-2]["pid"]
    assert ask(again["url"], "SELECT count(*) FROM survives") == before


def wait_for(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_number_that_another_process_has_now_is_neither_adopted_nor_signalled(place):
    cluster = place.cluster()
    pid_file = cluster.data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    assert stop(cluster)
    with subprocess.Popen(["sleep", "600"], user=place.server_uid) as stranger:
        try:
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
            assert not cluster.running()
            if os.geteuid() == place.uid:
                assert not cluster.stop()
            assert stranger.poll() is None
            assert int(place.start()["pid"]) != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_number_of_another_server_is_not_ours(place, cluster):
    other = cluster._server()
    assert other
    ours = place.cluster()
    pid_file = ours.data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    assert stop(ours)
    pid_file.write_text("\n".join([str(other), *lines[1:]]))
    assert place.start()["pid"] != other
    assert cluster._server() == other


def test_data_of_a_version_that_is_not_installed_are_left_alone(place):
    cluster = place.cluster()
    stop(cluster)
    version = cluster.data / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    try:
        said = place.refusal()
    finally:
        version.write_text(right)
    assert "PostgreSQL 9" in said
    assert "postgresql-9-postgis-3" in said
    assert "pg_upgrade" in said


def test_passwords_that_do_not_fit_are_told_at_once(place):
    kept = place.instance / "passwords" / "thapcanh_super"
    right = kept.read_text()
    kept.write_text("wrong")
    try:
        assert "passwords" in place.refusal()
    finally:
        kept.write_text(right)


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_socket_folder_into_which_others_may_write_is_refused(place, mode):
    folder = place.cluster().socket_folder()
    stop(place.cluster())
    folder.chmod(mode)
    assert "others may write" in place.refusal()
    folder.chmod(0o700)
    place.start()


def test_a_socket_folder_of_somebody_else_or_behind_a_link_is_refused(place):
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of somebody else")
    socket = place.cluster().socket_folder()
    stop(place.cluster())
    shutil.rmtree(socket)
    place.make(socket, uid=pwd.getpwnam("daemon").pw_uid)
    assert "somebody else" in place.refusal()
    socket.rmdir()
    target = place.make(place.folder / "target", uid=0)
    socket.symlink_to(target)
    assert "not a folder" in place.refusal()
    assert target.stat().st_uid == 0
    socket.unlink()
    target.rmdir()
    place.start()


def mark(place: Place) -> str:
    """Decide the name of root's cluster beforehand, as an earlier start would have."""
    place.make(place.instance)
    (place.instance / "cluster").write_text(f"known\n{place.instance}")
    return "known"


def test_a_first_start_that_was_cut_off_is_done_again(root_place):
    place = root_place
    home = place.make(place.folder / "system" / mark(place))
    partial = place.make(home / "data.partial")
    (partial / "PG_VERSION").write_text("15\n")
    assert ask(place.start()["url"], "SELECT 1") == 1
    assert not partial.exists()


def test_a_strict_umask_does_not_lock_the_server_out(root_place):
    root_place.umask = "077"
    assert ask(root_place.start()["url"], "SELECT 1") == 1


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """Where root's clusters of some instance folders would lie; each home is made, none started."""
    user_of("root")
    monkeypatch.setattr("core.cluster.SYSTEM_FOLDER", tmp_path / "system")

    def home(name: str) -> Path:
        found = cluster_for(tmp_path, tmp_path / name).home
        found.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "passwords").mkdir(exist_ok=True)
        return found

    return home


def test_an_instance_made_anew_does_not_meet_the_data_of_the_old_one(homes, tmp_path):
    first = homes("instance")
    assert homes("instance") == first
    shutil.rmtree(tmp_path / "instance")
    second = homes("instance")
    assert second != first
    assert homes("instance") == second


def test_a_moved_instance_keeps_its_data_and_a_copy_gets_its_own(homes, tmp_path):
    first = homes("instance")
    (tmp_path / "instance").rename(tmp_path / "moved")
    assert homes("moved") == first
    shutil.copytree(tmp_path / "moved", tmp_path / "copied")
    copied = homes("copied")
    assert copied != first
    assert homes("copied") == copied
    assert homes("moved") == first


@pytest.mark.parametrize(
    "name", ["Tháp, Canh's số 1%20+x", "a-folder-whose-name-is-long-" * 5], ids=["odd", "long"]
)
def test_a_path_that_a_socket_cannot_have_does_not_matter(name):
    with a_place("user", name) as place:
        found = place.start()
        assert ask(found["url"], "SELECT 1") == 1
        assert not place.cluster().socket_folder().is_relative_to(place.folder)
        assert place.start()["pid"] == found["pid"]


def test_a_path_that_the_shell_would_read_otherwise_is_refused(tmp_path):
    with pytest.raises(ClusterError, match="INSTANCE_DIR"):
        PrivateCluster(tmp_path / "a$HOME", tmp_path)


def test_a_given_server_is_used_instead(tmp_path):
    given = replace(Settings(), instance=tmp_path / "none", database_url="postgresql+psycopg:///x")
    found = with_database(given)
    assert (found.database_url, found.migration_database_url) == (given.database_url,) * 2
    assert not (tmp_path / "none").exists()
