"""How gunicorn serves the application: `gunicorn --config python:core.serve wsgi:app`.

`core.run` passes the address, the number of workers, how long a stop may take and, for HTTPS on
the local network, the certificate.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT, ThreadWorker

from core import walls
from core.metrics import PLACES
from core.redaction import Redacting

wsgi_app = "wsgi:app"
worker_class = "core.serve.Worker"
logger_class = "core.serve.QuietLogger"
threads = 8
# The application is read once and shared; its database connections are each worker's own.
preload_app = True
timeout = 60
keepalive = 5
loglevel = "warning"
# Requests are logged by the application, with their id.
accesslog = None
# Its default place is one for all services of a user.
control_socket_disable = True
limit_request_line = 8190

# A connection that stands still for so long within a request is ended: phones sleep in the middle
# of one, and would keep a thread each. A proxy in front has limits of its own.
STALLED_SECONDS = 30
TLS_HANDSHAKE = b"\x16"
# How long the head of a request without TLS may take to arrive.
HEAD_SECONDS = 2.0
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
TARGET = re.compile(r"/[!-~]*")


def post_fork(server: Any, worker: Any) -> None:
    """Forget connections that the parent may have opened: two processes cannot share one.

    What the worker counts has a place of its own.
    """
    extensions = worker.app.wsgi().extensions
    extensions["database"].engine.dispose(close=False)
    extensions["tally"].place = worker.age % PLACES


def when_ready(server: Any) -> None:
    """Say what this machine cannot keep from programs that read other people's files."""
    if not walls.landlock_version():
        server.log.warning(
            "No Landlock (Linux 5.13, or the landlock_* calls in SystemCallFilter): programs that"
            " read files of users could read the secrets of this service"
        )


class QuietLogger(Logger):
    """gunicorn's own log, without what opens something: it quotes requests that it cannot read."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.addFilter(Redacting())


class Worker(ThreadWorker):
    """gunicorn's worker of threads, for phones.

    Those that lose their network in the middle of a request do not keep a thread for ever, and
    those who forgot the S of HTTPS are sent the right way: theirs was a closed connection without
    a word.
    """

    def handle(self, conn: Any) -> Any:
        if not conn.initialized:
            end_when_lost(conn.sock)
        if (
            self.cfg.is_ssl
            and not conn.initialized
            and conn.wait_for_data(DEFAULT_WORKER_DATA_TIMEOUT)
        ):
            try:
                first = conn.sock.recv(1, socket.MSG_PEEK)
                if first and first != TLS_HANDSHAKE:
                    conn.sock.setblocking(True)
                    conn.sock.sendall(without_tls(_head(conn.sock), conn.server))
                    close_graceful(conn.sock)
                    return False
            except OSError as error:
                self.log.debug("A connection without TLS broke. %s", error)
                return False
        return super().handle(conn)


def end_when_lost(sock: socket.socket) -> None:
    """Let the kernel end reads and writes that stand still, and connections to nobody."""
    patience = struct.pack("ll", STALLED_SECONDS, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)


def _head(sock: socket.socket) -> bytes:
    """The head of a request, as far as it comes in time."""
    sock.settimeout(HEAD_SECONDS)
    deadline, head = time.monotonic() + HEAD_SECONDS, b""
    while b"\r\n\r\n" not in head and len(head) < 8192 and time.monotonic() < deadline:
        try:
            piece = sock.recv(8192)
        except TimeoutError:
            break
        if not piece:
            break
        head += piece
    return head


def without_tls(head: bytes, server: tuple[Any, ...]) -> bytes:
    """The answer to a request in plain HTTP: the same address with `https`, or a refusal.

    What is sent elsewhere than asked are addresses to be read, never what was written.
    """
    first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    method, _, rest = first.partition(" ")
    target = rest.partition(" ")[0]
    named = [one.partition(":")[2].strip() for one in lines if one.lower().startswith("host:")]
    host = named[0] if len(named) == 1 and HOST.fullmatch(named[0]) else _own_host(server)
    address = f"https://{host}{target if TARGET.fullmatch(target) else '/'}"
    if method in {"GET", "HEAD"}:
        status, kind, more = "307 Temporary Redirect", "text/plain", f"Location: {address}\r\n"
        body = f"This address speaks HTTPS: {address}\n".encode()
    else:
        status, kind, more = "400 Bad Request", "application/problem+json", ""
        said = {
            "type": "/problems/https_required",
            "title": "This port speaks HTTPS only",
            "status": 400,
            "code": "https_required",
            "detail": f"Nothing was read. Send it to {address}",
        }
        body = json.dumps(said).encode()
    length = len(body)
    answer = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\n"
        f"{more}Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return answer.encode() + (b"" if method == "HEAD" else body)


def _own_host(server: tuple[Any, ...]) -> str:
    host, port = server[0], server[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
