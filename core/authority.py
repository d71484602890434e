"""A certificate authority of this machine's own, so that phones on the local network get HTTPS.

Browsers give position, camera and work offline to HTTPS pages only, and no public authority signs
the addresses of a local network. Ours lives in `instance/tls`; whoever trusts it trusts it for
private addresses and local names alone, whatever becomes of its key.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import secrets
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

AUTHORITY_LIFE = timedelta(days=3650)
# Browsers of phones refuse certificates of servers that live longer.
LEAF_LIFE = timedelta(days=397)
LEAF_RENEWED_BEFORE = timedelta(days=30)
# The clock of a phone may be behind ours.
BEFORE = timedelta(days=1)
LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(one)
    for one in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
        "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
LOCAL_NAMES = ("localhost", "local", "lan", "home", "internal", "home.arpa")
FOLDER = "tls"
SIOCGIFADDR = 0x8915


class AuthorityError(RuntimeError):
    """No certificate can be made; the message says why and what to do."""


@dataclass(frozen=True)
class Served:
    """What a server needs (`pem`: its key and certificate), and what phones are to trust."""

    pem: Path
    authority: Path
    fingerprint: str


def authority_file(instance: Path) -> Path:
    """Where the certificate that phones trust lies; nothing is there before TLS was used."""
    return instance / FOLDER / "authority.crt"


def fingerprint_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate (PEM), in the way phones show it: `AB:CD:…`."""
    digest = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def prepared(instance: Path, wanted: Sequence[str], *, now: datetime) -> Served:
    """Certificates for these addresses and names, made or made anew where it is needed.

    The authority is made once and stays as long as it lives. Raises `AuthorityError` where its
    files do not fit each other.
    """
    folder = instance / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = authority_file(instance)
    authority, key = _authority(path, folder / "authority.key", now)
    fit = [one for one in wanted if allowed(one, authority)]
    pem = folder / "server.pem"
    if not _still_good(pem, fit, authority, now):
        _write(pem, _leaf(fit, authority, key, now))
    return Served(pem, path, fingerprint_of(path.read_bytes()))


def serves(served: Served, name: str) -> bool:
    """Whether the certificate of the server holds for an address or a name."""
    leaf = x509.load_pem_x509_certificates(served.pem.read_bytes())[0]
    return name.lower() in _names_of(leaf)


def allowed(name: str, authority: x509.Certificate) -> bool:
    """Whether the authority may sign an address or a name."""
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = [one.value for one in limits.permitted_subtrees or ()]
    if place := _address(name):
        return any(place in one for one in permitted if not isinstance(one, str))
    return any(name == one or name.endswith(f".{one}") for one in permitted if isinstance(one, str))


# What this machine is called.


def local_names(host: str) -> list[str]:
    """The addresses and names under which others may find this machine, the likeliest first."""
    own = socket.gethostname().lower()
    named = [] if host in {"", "0.0.0.0", "::"} else [host.lower()]  # noqa: S104
    short = own.partition(".")[0]
    found = [*named, *addresses(), own, f"{short}.local", "localhost", "127.0.0.1", "::1"]
    return [one for one in dict.fromkeys(found) if one and one.isascii()]


def addresses() -> list[str]:
    """The addresses of this machine's networks, that of the way outside first."""
    found = [_address_outside(), *_ipv4_addresses(), *_ipv6_addresses()]
    return [
        one for one in dict.fromkeys(found) if one and not ipaddress.ip_address(one).is_loopback
    ]


def _address_outside() -> str:
    """Our address on the way to other networks; nothing is sent to find it."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return ""


def _ipv4_addresses() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            # An interface without an address says so by an error.
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _ipv6_addresses() -> list[str]:
    """Those that phones can reach; a link-local one needs the name of an interface beside it."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
        found = [ipaddress.IPv6Address(bytes.fromhex(line.split()[0])) for line in lines]
        return [str(one) for one in found if not one.is_link_local]
    return []


# The certificates.


def _authority(
    path: Path, key_path: Path, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if path.exists():
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        if now < certificate.not_valid_after_utc - LEAF_LIFE:
            return certificate, _key_of(certificate, path, key_path)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _new_authority(key, now)
    # The key comes first: a certificate that is there has its key.
    _write(key_path, _key_bytes(key))
    _write(path, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _key_of(
    certificate: x509.Certificate, path: Path, key_path: Path
) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise AuthorityError(_does_not_fit(path)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        raise AuthorityError(_does_not_fit(path))
    return key


def _does_not_fit(path: Path) -> str:
    return (
        f"{path.parent} has no key that fits its authority.crt: bring it back, or remove the"
        " folder for a new authority, which every phone must trust anew"
    )


def _new_authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tháp Canh"),
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"Tháp Canh {secrets.token_hex(3)} ({socket.gethostname()})"
            ),
        ]
    )
    own = socket.gethostname().lower()
    permitted: list[x509.GeneralName] = [x509.IPAddress(one) for one in LOCAL_NETWORKS]
    names = (*LOCAL_NAMES, own) if own.isascii() and own else LOCAL_NAMES
    permitted += [x509.DNSName(one) for one in dict.fromkeys(names)]
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    names: Iterable[str],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> bytes:
    """The key and the certificate of the server, and that of the authority, as one PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(place) if (place := _address(one)) else x509.DNSName(one) for one in names
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tháp Canh")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now - BEFORE + LEAF_LIFE)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return _key_bytes(key) + certificate.public_bytes(pem) + authority.public_bytes(pem)


def _still_good(
    pem: Path, names: Iterable[str], authority: x509.Certificate, now: datetime
) -> bool:
    try:
        held = x509.load_pem_x509_certificates(pem.read_bytes())
        serialization.load_pem_private_key(pem.read_bytes(), None)
    except (OSError, ValueError):
        return False
    leaf, signer = held[0], held[-1]
    return (
        signer == authority
        and set(names) <= _names_of(leaf)
        and leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - LEAF_RENEWED_BEFORE
    )


def _names_of(leaf: x509.Certificate) -> set[str]:
    there = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in there}


def _address(name: str) -> Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Write for the owner's eyes only; a stop in between leaves what was there."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
