"""Words of people and organisations, and the forms of their numbers and addresses."""

from __future__ import annotations

from enum import StrEnum

from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.vn import mst

from core.words import N_


class Role(StrEnum):
    ADMIN = "admin"
    STAFF = "staff"
    INSPECTOR = "inspector"
    LOCAL_OFFICER = "local_officer"
    OPERATOR = "operator"


class SignInWay(StrEnum):
    """How a session began."""

    PASSWORD = "password"  # noqa: S105 - a way, not a password
    SECOND_FACTOR = "second_factor"
    OPENID = "openid"


class LinkKind(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    RESET = "reset"


# The only role of a phone that was revoked, or whose account was disabled: what it brings is kept.
SHUT_OUT = "shut_out"


class OrganisationKind(StrEnum):
    DEPARTMENT = "department"
    COMMUNE = "commune"
    OWNER = "owner"
    OPERATOR = "operator"
    MANAGER = "manager"


# Each field of an organisation, and of a person there, with its greatest length.
LENGTHS = {
    "name": 300,
    "kind": 20,
    "tax_code": 20,
    "address": 500,
    "phone": 500,
    "email": 254,
    "responsible_person": 300,
    "responsible_phone": 100,
    "responsible_email": 254,
    "note": 4000,
}
CONTACT_LENGTHS = {"name": 300, "position": 300, "phone": 100, "email": 254, "note": 1000}
MAX_CONTACTS = 50


def tax_code(text: str) -> tuple[str, str | None]:
    """A Vietnamese tax code (mã số thuế, MST) as it is printed, or what is wrong with it.

    Ten digits, and a branch's three after a dash; blanks and dots between them do not count. The
    tenth digit is 10 − (31·a + 29·b + 23·c + 19·d + 17·e + 13·f + 7·g + 5·h + 3·i mod 11) of the
    nine before it. Source: python-stdnum, module `stdnum.vn.mst`, after
    https://vi.wikipedia.org/wiki/Thuế_Việt_Nam. An empty text is no tax code and not wrong.
    """
    if not text.strip():
        return "", None
    try:
        return mst.format(mst.validate(text)), None
    except InvalidChecksum:
        return text, N_(
            "The digits of this tax code do not fit together: compare it with the paper"
        )
    except ValidationError:
        return text, N_("A tax code has 10 digits, a branch's 13: 0100233488 or 0100233488-001")


# Who mistypes a password is not slowed down at once.
FREE_FAILURES = 5


def wait_seconds(failures: int, *, free: int, most: float) -> float:
    """How long the next attempt has to wait after so many failures in a row, in seconds.

    Twice as long after each, and never longer than `most`: whoever knows the password gets in.
    """
    beyond = failures - free
    # 2 to the 20th is more than a week.
    return 0.0 if beyond < 0 else min(float(2 ** min(beyond, 20)), most)


def recovery_code(text: str) -> str:
    """A recovery code as it was made, however somebody wrote it down: `ab12-cd34-ef56`."""
    return "".join(letter for letter in text.lower() if letter.isalnum())


def is_email(text: str) -> bool:
    """Whether a text can be an e-mail address; only sending one shows whether it is."""
    local, _, host = text.partition("@")
    blanks = any(letter.isspace() for letter in text)
    return bool(local) and "." in host and not blanks and len(text) <= 254
