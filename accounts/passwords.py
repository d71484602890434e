"""Which passwords are taken: NIST SP 800-63B-4, section 3.1.1.2.

Long ones, without rules of composition; not those that programs try first, and not the name of
the person, of the service or of its place. Nobody outside is asked.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from core.errors import FieldText
from core.words import N_

LONGEST = 200
# zxcvbn looks at so many letters: its time grows with the square of them.
LOOKED_AT = 72
# Fewer guesses than this are made in hours, on a machine for that purpose.
LEAST_GUESSES = 10**8
# What is left of a password without words of its context has to be this long.
LEAST_OWN = 8
SERVICE_WORDS = ("thapcanh", "dongthap", "caolanh", "sadec", "vietnam", "khoahoccongnghe", "skhcn")
WORDS = Path(__file__).parent / "data" / "common_passwords.txt"


def normalised(password: str) -> str:
    """One form of a password everywhere: NFKD, as Flask-Security's sign-in form makes it."""
    return unicodedata.normalize("NFKD", password)


def new_password() -> str:
    """A password that can be read out on the telephone: 20 characters, about 100 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def plain(text: str) -> str:
    """Lower-case letters and digits without marks: `Đồng Tháp` becomes `dongthap`."""
    bare = unicodedata.normalize("NFKD", text.lower().replace("đ", "d"))
    return re.sub(r"[^a-z0-9]", "", "".join(one for one in bare if not unicodedata.combining(one)))


@cache
def common_words() -> tuple[str, ...]:
    """What people here take as passwords, beside the lists of zxcvbn."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def context_words(texts: Iterable[str]) -> set[str]:
    """The words of names and addresses that a password must not be made of."""
    words = set(SERVICE_WORDS)
    for text in texts:
        words.add(plain(text.partition("@")[0]))
        words.update(plain(part) for part in re.split(r"[\s@._+-]+", text))
        words.add(plain(text))
    return {word for word in words if len(word) >= 3}


def wrong_with(password: str, *, least: int, context: Iterable[str]) -> FieldText | None:
    """What is wrong with a new password, `None` where nothing is.

    `least` characters count after normalising, as code points that people see: a letter with its
    marks is one. `context` are names and addresses of the person.
    """
    shown = unicodedata.normalize("NFKC", password)
    if len(shown) < least:
        return N_("A password has at least %(least)s characters"), {"least": least}
    if len(password) > LONGEST:
        return N_("A password has at most %(most)s characters"), {"most": LONGEST}
    words = context_words(context)
    bare = rest = plain(password)
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    if rest != bare and len(rest) < LEAST_OWN:
        return N_("This password is made of names that can be guessed: yours, or of the service")
    if _guesses(password, words) < LEAST_GUESSES:
        return N_("This password is among the first that are tried: take several unrelated words")
    return None


def _guesses(password: str, words: set[str]) -> float:
    # It brings lists of some hundred kilobytes, which only a new password needs.
    from zxcvbn import zxcvbn

    own = [*words, *common_words()]
    # As it is written, and without the marks that every list leaves out.
    forms = {password[:LOOKED_AT], plain(password)[:LOOKED_AT]} - {""}
    return min(float(zxcvbn(form, user_inputs=own)["guesses"]) for form in forms)
