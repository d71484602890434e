"""Every page of the demo province, as each role, in both languages, wide and on a phone."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

PAGES = {
    "admin": {
        "users": "/users",
        "user-form": "/users/new",
        "organisations": "/organisations",
        "organisation-form": "/organisations/new",
        "areas": "/areas",
        "account": "/account",
        "password": "/password",
        "api-docs": "/api/docs",
    },
    "staff": {
        "dashboard": "/",
        "towers": "/towers",
        "towers-filtered": "/towers?condition=dangerous",
        "tower-form": "/towers/new",
        "import": "/towers/import",
        "inspections": "/inspections",
        "violations": "/violations",
        "follow-up": "/follow-up",
        "map": "/map",
    },
}


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("role", list(PAGES))
def test_every_page_is_sound(walk, province, role, language, phone):
    one = walk(province, language, phone=phone, signed_in=f"{role}@example.org")
    for name, path in PAGES[role].items():
        one.open(path)
        one.look(name)
