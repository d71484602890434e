"""Settings of one running service: the only reader of the environment."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """What a deployment decides before the service starts.

    `database_url` and `migration_database_url` are SQLAlchemy URLs; `None` means the private
    cluster. What a department decides while the service runs (envelope, intervals) is data
    in the database, not here.
    """

    root: Path = ROOT
    instance: Path = ROOT / "instance"
    database_url: str | None = None
    migration_database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    timezone: str = "Asia/Ho_Chi_Minh"
    languages: tuple[str, ...] = ("vi", "en")
    secret_key: str = ""
    https: bool = False
    two_factor: bool = True
    # Whether those whom the setting `required_second_factor` names cannot do without one.
    require_second_factor: bool = False
    # The department's own sign-in service, where it has one that speaks OpenID Connect.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    # The service itself speaks TLS, with a certificate of this machine's own authority.
    tls: bool = False
    # How many proxies stand in front and say who asks; what others say of that counts nothing.
    proxies: int = 0
    # Whether programs of this machine may read `/metrics` without a token.
    local_metrics: bool = False
    sign_in_limit: str = "10 per minute"
    # What one address may ask of the links in notices, photos included.
    link_limit: str = "200 per minute"
    max_upload_bytes: int = 64 * 1024 * 1024
    max_photo_bytes: int = 25 * 1024 * 1024
    max_photo_pixels: int = 60_000_000
    max_document_bytes: int = 50 * 1024 * 1024
    # What each process keeps of the map's tiles; 0 for nothing.
    kept_tiles_bytes: int = 32 * 1024 * 1024
    statement_timeout_ms: int = 15_000
    pool_size: int = 8
    workers: int = 0
    smtp_url: str = ""
    mail_from: str = ""
    log_format: str = "console"
    testing: bool = False

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment; a missing secret is made once and kept in the instance folder."""
        env = os.environ
        instance = Path(env.get("INSTANCE_DIR") or ROOT / "instance").resolve()
        return cls(
            instance=instance,
            database_url=_psycopg_url(env.get("DATABASE_URL")),
            migration_database_url=_psycopg_url(env.get("MIGRATION_DATABASE_URL")),
            host=env.get("HOST") or "127.0.0.1",
            port=int(env.get("PORT") or 8000),
            timezone=env.get("TIMEZONE") or "Asia/Ho_Chi_Minh",
            secret_key=env.get("SECRET_KEY") or "",
            two_factor=env.get("TWO_FACTOR", "1") != "0",
            require_second_factor=env.get("REQUIRE_SECOND_FACTOR", "1") != "0",
            oidc_issuer=env.get("OIDC_ISSUER") or "",
            oidc_client_id=env.get("OIDC_CLIENT_ID") or "",
            oidc_client_secret=env.get("OIDC_CLIENT_SECRET") or "",
            https="1" in (env.get("HTTPS"), env.get("TLS")),
            tls=env.get("TLS", "") == "1",
            local_metrics=env.get("METRICS", "") == "local",
            proxies=int(env.get("TRUSTED_PROXIES") or 0),
            max_document_bytes=int(env.get("MAX_DOCUMENT_MB") or 50) * 1024 * 1024,
            kept_tiles_bytes=int(env.get("KEPT_TILES_MB") or 32) * 1024 * 1024,
            workers=int(env.get("WEB_CONCURRENCY") or 0),
            smtp_url=env.get("SMTP_URL") or "",
            mail_from=env.get("MAIL_FROM") or "",
            log_format=env.get("LOG_FORMAT") or "console",
        )

    def with_secret(self) -> Settings:
        """Return settings that have a secret key, made once and kept readable by its owner only."""
        if self.secret_key:
            return self
        return replace(self, secret_key=kept_secret(self.instance / "secret-key"))


def kept_secret(path: Path) -> str:
    """Read the secret in `path`, made at the first call; two processes agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text().strip():
            return kept
        # Left by a start that was cut off: nobody has used it.
        path.unlink()
    # Whole before it has its name: whoever comes second reads what the first one uses.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path.read_text().strip()


def _psycopg_url(url: str | None) -> str | None:
    """Name the driver in a URL as hosting services write it (`postgres://…`)."""
    if not url:
        return None
    scheme, separator, rest = url.partition("://")
    if scheme in {"postgres", "postgresql"}:
        return f"postgresql+psycopg{separator}{rest}"
    return url
