"""Which passwords are taken: long ones that nobody tries first, with no rule of composition."""

from __future__ import annotations

import unicodedata

import pytest

from accounts.passwords import new_password, normalised, wrong_with
from accounts.rules import wait_seconds

PERSON = ("nguyen.van.an@example.org", "Nguyễn Văn An", "Sở Khoa học và Công nghệ")


def wrong(password: str, least: int = 15) -> str | None:
    found = wrong_with(password, least=least, context=PERSON)
    return found if found is None or isinstance(found, str) else found[0]


@pytest.mark.parametrize(
    "password",
    [
        "kho doan lam day 4711",
        "bốn con vịt bơi qua ao sen",
        "correct horse battery staple",
        "xmqzktbvhwpfrng",
        "𝔭𝔞𝔰𝔰 fünf größere Türme",
    ],
)
def test_a_long_password_of_any_letters_is_taken(password: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert wrong(unicodedata.normalize(form, password)) is None


def test_what_we_make_is_always_taken() -> None:
    assert all(wrong(new_password()) is None for _ in range(20))


@pytest.mark.parametrize(
    ("password", "part"),
    [
        ("x7#Qp!2vLm9$tR", "at least"),
        ("", "at least"),
        # Ten letters with two marks each are ten letters, not thirty.
        (unicodedata.normalize("NFD", "ộếởửẵấậểỗộ"), "at least"),
        ("z" * 201, "at most"),
        ("nguyenvanan2026", "names"),
        ("Nguyễn Văn An 1987", "names"),
        ("thapcanh-dongthap-2026", "names"),
        ("Tháp Canh Đồng Tháp 1", "names"),
        ("passwordpassword", "first that are tried"),
        ("123456789012345", "first that are tried"),
        ("qwertyuiopasdfgh", "first that are tried"),
        ("aaaaaaaaaaaaaaaaaaaa", "first that are tried"),
        ("matkhau123456789", "first that are tried"),
        ("Mật khẩu 123456789", "first that are tried"),
        ("anhyeuem12345678", "first that are tried"),
    ],
)
def test_what_is_short_or_tried_first_is_refused(password: str, part: str) -> None:
    assert part in (wrong(password) or "")


def test_with_a_second_factor_eight_letters_will_do() -> None:
    assert wrong("vit boi ao", least=8) is None
    assert "at least" in (wrong("vit bơi", least=8) or "")
    assert "tried" in (wrong("password1", least=8) or "")


def test_one_form_of_a_password_whatever_a_keyboard_makes() -> None:
    forms = {normalised(unicodedata.normalize(form, "mật khẩu")) for form in ("NFC", "NFD")}
    assert len(forms) == 1


def test_waiting_grows_and_never_becomes_a_lock() -> None:
    waits = [wait_seconds(failures, free=5, most=900) for failures in range(40)]
    assert waits[:5] == [0, 0, 0, 0, 0]
    assert waits[5:9] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert max(waits) == 900
    assert wait_seconds(10**9, free=5, most=900) == 900
