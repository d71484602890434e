"""E-mail through the department's server, and what its refusals mean."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import unquote, urlsplit

from core.settings import Settings

TIMEOUT_SECONDS = 20.0
PORTS = {"smtp": 25, "smtps": 465}
HERE = {"localhost", "127.0.0.1", "::1"}
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class Refused(Exception):
    """The server will never take this message: its address or content is wrong."""


class Later(Exception):
    """The message may be taken another time. `whole`: so may all others."""

    def __init__(self, text: str, *, whole: bool) -> None:
        super().__init__(text)
        self.whole = whole


class Misconfigured(ValueError):
    """`SMTP_URL` or `MAIL_FROM` says something that cannot be."""


@dataclass(frozen=True)
class Server:
    """A mail server: `smtps` speaks TLS from the start, `smtp` as soon as it offers to."""

    host: str
    port: int
    tls: bool
    user: str
    password: str
    sender: str


def server_of(settings: Settings) -> Server | None:
    """The server of `SMTP_URL`, `None` where none is set; raises `Misconfigured`."""
    if not settings.smtp_url:
        return None
    parts = urlsplit(settings.smtp_url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise Misconfigured("SMTP_URL begins as in smtps://user:password@mail.example.vn")
    if "@" not in settings.mail_from or UNPRINTABLE.search(settings.mail_from):
        raise Misconfigured("MAIL_FROM is the address that messages come from")
    return Server(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=settings.mail_from,
    )


def message(
    server: Server, *, recipient: str, subject: str, body: str, message_id: str
) -> EmailMessage:
    """A message as text; lines in what becomes a header are blanks."""
    made = EmailMessage(policy=SMTP)
    made["From"] = server.sender
    made["To"] = recipient
    made["Subject"] = UNPRINTABLE.sub(" ", subject)
    made["Message-ID"] = message_id
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(body)
    return made


class Connection:
    """A session with the server, in which one message follows another."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def send(self, made: EmailMessage) -> None:
        """Hand a message over; returns once the server has taken it. Raises `Refused`, `Later`."""
        try:
            self._smtp.send_message(made)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _judged(code, text) from error
        except smtplib.SMTPDataError as error:
            raise _judged(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(str(error)) from error
        # Nothing is wrong with the message where the server has no ear or does not know us.
        except (smtplib.SMTPException, OSError) as error:
            raise Later(_said(error), whole=True) from error


@contextlib.contextmanager
def connected(server: Server) -> Iterator[Connection]:
    """A session with the server; raises `Later` where there is none to be had."""
    try:
        smtp = _opened(server)
    except (smtplib.SMTPException, OSError) as error:
        raise Later(_said(error), whole=True) from error
    try:
        yield Connection(smtp)
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()


def _opened(server: Server) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.tls:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    try:
        smtp.ehlo_or_helo_if_needed()
        safe = server.tls
        if not server.tls and smtp.has_extn("starttls"):
            smtp.starttls(context=context)
            smtp.ehlo()
            safe = True
        if server.user:
            if not safe and server.host not in HERE:
                raise smtplib.SMTPException("the server has no TLS: the password is not sent to it")
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _judged(code: int, text: bytes | str) -> Exception:
    said = f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return Refused(said) if 500 <= code < 600 else Later(said, whole=code == 421)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
