"""`TLS=1`: HTTPS on the local network, by an authority of this machine that phones can trust."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import stat
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from flask import Flask

from core import authority, run
from core.settings import Settings
from tests.core.run_test import Service

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HOME = ["192.168.1.5", "tram.local"]


def leaf_of(served: authority.Served) -> x509.Certificate:
    return x509.load_pem_x509_certificates(served.pem.read_bytes())[0]


def test_the_authority_stays_and_the_certificate_follows_the_addresses(tmp_path: Path) -> None:
    first = authority.prepared(tmp_path, HOME, now=NOW)
    trusted, leaf = first.authority.read_bytes(), leaf_of(first)
    assert authority.serves(first, "192.168.1.5") and authority.serves(first, "Tram.local")
    again = authority.prepared(tmp_path, HOME, now=NOW + timedelta(days=300))
    assert leaf_of(again) == leaf
    moved = authority.prepared(tmp_path, ["10.0.0.7"], now=NOW + timedelta(days=300))
    assert authority.serves(moved, "10.0.0.7") and leaf_of(moved) != leaf
    before, late = leaf_of(moved), NOW + timedelta(days=700)
    renewed = leaf_of(authority.prepared(tmp_path, ["10.0.0.7"], now=late))
    assert renewed != before and renewed.not_valid_after_utc > late + timedelta(days=300)
    assert first.authority.read_bytes() == trusted
    for path in (tmp_path / "tls").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["8.8.8.8", "bank.example", "local.example", "2001:db8::1"])
def test_the_authority_signs_nothing_of_the_internet(tmp_path: Path, name: str) -> None:
    made = authority.prepared(tmp_path, [*HOME, name], now=NOW)
    assert not authority.serves(made, name)
    assert authority.serves(made, "tram.local")


def test_a_lost_key_is_named_instead_of_a_new_authority_made_silently(tmp_path: Path) -> None:
    authority.prepared(tmp_path, HOME, now=NOW)
    (tmp_path / "tls" / "authority.key").unlink()
    with pytest.raises(authority.AuthorityError, match="trust anew"):
        authority.prepared(tmp_path, HOME, now=NOW)


def test_an_address_of_the_internet_wants_a_proxy(tmp_path: Path) -> None:
    with pytest.raises(run.CannotRun, match="behind a proxy"):
        run.certificates(Settings(instance=tmp_path, host="8.8.8.8", tls=True))


def test_without_tls_there_is_nothing_to_trust(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/authority").status_code == 404
    assert client.get("/authority.crt").status_code == 404


@pytest.fixture(scope="module")
def service(cluster, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with TLS; the tests follow it through two starts."""
    urls = cluster.create_database("tls", migrated)
    made = Service(
        tmp_path_factory.mktemp("tls") / "instance",
        DATABASE_URL=urls.app_url,
        MIGRATION_DATABASE_URL=urls.owner_url,
        WEB_CONCURRENCY="1",
        TLS="1",
    )
    made.start("--production")
    yield made
    made.end()
    cluster.drop_database("tls")


def trusting(service: Service) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(service.instance / "tls" / "authority.crt"))


def asked(service: Service, path: str) -> http.client.HTTPResponse:
    address = f"https://127.0.0.1:{service.port}{path}"
    return urllib.request.urlopen(address, timeout=10, context=trusting(service))


@pytest.mark.slow
def test_who_trusts_the_authority_is_served_and_others_refuse(service: Service) -> None:
    with asked(service, "/readyz") as answer:
        assert answer.status == 200
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://127.0.0.1:{service.port}/readyz", timeout=10)
    said = service.said()
    assert f"https://127.0.0.1:{service.port}" in said
    assert "\u2580" in said, "no QR code"


@pytest.mark.slow
def test_a_phone_gets_the_certificate_and_secure_cookies(service: Service) -> None:
    kept = (service.instance / "tls" / "authority.crt").read_bytes()
    with asked(service, "/authority.crt") as answer:
        assert answer.headers["Content-Type"] == "application/x-x509-ca-cert"
        assert answer.read() == kept
    with asked(service, "/authority") as answer:
        assert authority.fingerprint_of(kept) in answer.read().decode()
        assert authority.fingerprint_of(kept) in service.said()
    with asked(service, "/sign-in") as answer:
        assert "; Secure;" in answer.headers["Set-Cookie"]
        # It would hold for whatever else this machine's name serves.
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.slow
def test_plain_http_is_sent_to_https_and_what_was_written_is_refused(service: Service) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    plain.request("GET", "/towers?q=1")
    answer = plain.getresponse()
    assert answer.status == 307
    assert answer.headers["Location"] == f"https://127.0.0.1:{service.port}/towers?q=1"
    plain.close()
    plain.request("POST", "/api/v1/inspections", b'{"a": 1}')
    answer = plain.getresponse()
    assert (answer.status, answer.headers["Location"]) == (400, None)
    assert json.loads(answer.read())["code"] == "https_required"
    plain.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        b"GET //evil.example/ HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: evil.example/@\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET",
    ],
)
def test_no_plain_request_is_sent_elsewhere_or_breaks_anything(
    service: Service, head: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as one:
        one.sendall(head)
        one.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := one.recv(4096):
            answer += piece
    places = [line for line in answer.split(b"\r\n") if line.startswith(b"Location:")]
    ours = f"Location: https://127.0.0.1:{service.port}/".encode()
    assert all(place.startswith(ours) for place in places), answer
    assert answer.startswith((b"HTTP/1.1 307", b"HTTP/1.1 400"))


@pytest.mark.slow
def test_a_second_start_keeps_the_authority(service: Service) -> None:
    kept = {path.name: path.read_bytes() for path in (service.instance / "tls").iterdir()}
    service.end()
    service.start("--production")
    with asked(service, "/readyz") as answer:
        assert answer.status == 200
    assert {path.name: path.read_bytes() for path in (service.instance / "tls").iterdir()} == kept
