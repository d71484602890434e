"""Every page of the demo province, as each role, in both languages, wide and on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app import create_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {
    "admin": {
        "users": "/users",
        "user-form": "/users/new",
        "organisations": "/organisations",
        "organisation-form": "/organisations/new",
        "areas": "/areas",
        "areas-load": "/areas/load",
        "audit": "/audit",
        "audit-narrowed": "/audit?kind=user&who=system",
        "account": "/account",
        "password": "/password",
        "password-again": "/verify",
        "second-factor-off": "/tf-setup",
        "api-docs": "/api/docs",
    },
    "staff": {
        "dashboard": "/",
        "towers": "/towers",
        "towers-searched": "/towers?q=cao+lanj&sort=-height",
        "towers-near": "/towers?q=10.4603,+105.6325",
        "tower-form": "/towers/new",
        "import": "/towers/import",
        "imports": "/towers/imports",
        "field-review": "/field/review",
        "field-import": "/field/import",
        "reassign": "/towers/reassign",
        "proposals": "/proposals",
        "merge": "/towers/DT-00001/merge",
        "permits": "/towers/permits",
        "vocabularies": "/towers/vocabularies",
        "tower-history": "/towers/DT-00001/history?at=2026-01-01T00:00",
        "sign": "/towers/DT-00001/sign",
        "installation-form": "/towers/DT-00001/installations/new",
        "permit-form": "/towers/DT-00001/permits/new",
        "anchor-form": "/towers/DT-00001/anchors/new",
        "footprint-form": "/towers/DT-00001/footprint/edit",
        "inspections": "/inspections",
        "campaigns": "/campaigns",
        "campaign-new": "/campaigns/new",
        "assignments": "/assignments",
        "assignment-form": "/towers/DT-00001/assignments",
        "violations": "/violations",
        "follow-up": "/follow-up",
        "notices": "/notices",
        "notice-template": "/notices/template",
        "assessments": "/assessments",
        "return": "/follow-up/return",
        "exports": "/exports",
        "outbox": "/outbox",
        "map": "/map",
        "statistics": "/statistics?by=owner&from=2026-01-01",
        "checklists": "/checklists",
        "checklist": "/checklists/1",
        "checklist-first": "/checklists/1/changes",
    },
    "inspector": {
        "towers-of-one-condition": "/towers?condition=needs_follow_up",
        "own-assignments": "/assignments",
        "own-phones": "/devices",
        "own-inspections": "/inspections?mine=1",
        "propose": "/towers/propose",
        "correct": "/towers/DT-00001/propose",
    },
}
# From a list to one of its things: the list, and what the link of the first leads to.
THINGS = {
    "admin": {
        "user": ("/users", "/users/*"),
        "organisation": ("/organisations", "/organisations/*"),
        "area": ("/areas?level=commune", "/areas/*"),
    },
    "staff": {
        "tower": ("/towers?condition=dangerous", "/towers/*"),
        "inspection": ("/inspections?status=submitted", "/inspections/*"),
        "violation": ("/violations?severity=major", "/violations/*"),
        "assessment": ("/assessments", "/assessments/*"),
    },
    "inspector": {},
}
# Forms of a thing that are reached from its page.
FORMS = {"organisation": ("edit", "merge")}
# Pages that others show, or that only answer to a form.
SHOWN_ELSEWHERE = {
    "/",  # the first page of every walk
    "/sign-in",
    # sign_in_test.py goes from an invitation to a second factor, and loses the telephone.
    "/password/forgotten",
    "/password/new/<token>",
    "/mf-recovery",
    "/mf-recovery-codes",
    "/tf-validate",
    # Of one kind of second factor there is nothing to choose, and no message rescues anybody.
    "/tf-select",
    "/tf-rescue",
    # They lead to the sign-in service of the department, and back.
    "/sign-in/openid",
    "/sign-in/openid/back",
    "/search",  # leads on
    "/authority",  # only with TLS=1: tests/core/tls_test.py
    # field_test.py
    "/field",
    "/field/manifest.json",
    "/field/worker.js",
    "/field/sign-in",
    "/metrics",  # for programs
    "/towers/export",  # a file
    "/audit/export",  # a file
    "/proposals/<uuid:proposal_id>",
    # checklist_edit_test.py walks a draft.
    "/checklists/<int:number>",
    "/checklists/<int:number>/changes",
    # notices_test.py goes from the choice of violations to what the owner sent.
    "/notices/new",
    "/notices/<uuid:notice_id>",
    "/notices/<uuid:notice_id>/edit",
    "/notices/<uuid:notice_id>/document.<form>",
    "/notice-files/<uuid:file_id>",
    "/n/<token>",
    "/n/<token>/notice.<form>",
    "/n/<token>/photos/<uuid:photo_id>",
    "/own-notices",
    "/own-violations",
    "/own-notices/<uuid:own_notice_id>",
    "/own-notices/<uuid:own_notice_id>/notice.<form>",
    "/own-notices/<uuid:own_notice_id>/photos/<uuid:photo_id>",
    "/exports/<uuid:export_id>",
    "/exports/<uuid:export_id>/file",
    "/follow-up/saved/<uuid:saved_id>",  # leads on
    # tests/browser/campaign_test.py
    "/campaigns/<uuid:campaign_id>",
    "/campaigns/<uuid:campaign_id>/edit",
    "/campaigns/<uuid:campaign_id>/towers",
    "/assignments/<uuid:assignment_id>",
    "/towers/imports/<uuid:batch_id>",
    "/towers/reassignments/<uuid:batch>",  # only a change of boundaries makes one
    # The walk of the checklist makes a draft of it.
    "/checklists/<int:draft>/back-test",
    "/checklists/<int:draft>/items/new",
    "/checklists/<int:draft>/items/<key>/edit",
    "/towers/<code>/edit",
    "/towers/<code>/inspect",
    "/inspections/<uuid:inspection_id>/edit",
    # tests/browser/field_review_test.py
    "/field/review/<uuid:item_id>",
    "/inspections/<uuid:inspection_id>/versions",
    "/inspections/<uuid:inspection_id>/record.docx",  # files
    "/inspections/<uuid:inspection_id>/record.pdf",
    "/towers/<code>/installations/<uuid:part_id>/edit",
    "/towers/<code>/permits/<uuid:part_id>/edit",
    "/towers/<code>/anchors/<uuid:part_id>/edit",
}


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("role", list(PAGES))
def test_every_page_is_sound(walk, province, role, language):
    one = walk(province, language, signed_in=f"{role}@example.org")
    page = one.page
    for name, path in PAGES[role].items():
        one.open(path)
        if name == "map":
            expect(page.locator("#map-count")).to_have_text(re.compile(r"\d"))
        if name == "api-docs":
            expect(page.locator(".opblock-tag").first).to_be_visible()
        one.look_wide_and_narrow(name)
    for name, (path, address) in THINGS[role].items():
        one.open(path)
        page.locator("table.data tbody a.main").first.click()
        page.wait_for_url(f"**{address}")
        one.look_wide_and_narrow(name)
        for form in FORMS.get(name, ()):
            here = page.url
            one.open(f"{here.removeprefix(one.server.url)}/{form}")
            one.look_wide_and_narrow(f"{name}-{form}")
            page.goto(here)


@pytest.mark.parametrize("role", ["staff", "inspector"])
def test_the_top_bar_is_one_row_in_every_wide_window(walk, province, role):
    one = walk(province, "vi", signed_in=f"{role}@example.org")
    one.open("/towers")
    heights = {}
    for width in (1241, 1280, 1500, 1501, 1920):
        one.resize({"width": width, "height": 900})
        heights[width] = one.page.locator("header.topbar").bounding_box()["height"]
    assert max(heights.values()) < 60, heights


@pytest.mark.parametrize("language", ["vi", "en"])
def test_pages_before_and_beside_the_others(walk, province, language):
    one = walk(province, language)
    one.open("/")
    one.choose_language()
    one.look("sign-in")
    one.field("email").fill("staff@example.org")
    one.field("password").fill("không phải mật khẩu này")
    one.press("Sign in")
    expect(one.page.locator("main .wrong")).to_be_visible()
    one.look("sign-in-refused")
    one.sign_in("inspector@example.org")
    with one.refused(404):
        one.open("/towers/KHONG-CO")
        one.look("not-found")
    with one.refused(403):
        one.open("/users")
        one.look("forbidden")


def test_every_page_is_walked(province):
    """A new page is looked at too: it stands in the lists above, or another walk shows it."""
    rules = create_app(province.settings).url_map.iter_rules()
    pages = {
        str(rule)
        for rule in rules
        if "GET" in (rule.methods or ())
        and not re.search(r"/(api|static|fs-static|healthz|readyz|map/.*)\b|\.\w+$", str(rule))
    }
    walked = {
        re.sub(r"/DT-\d+/", "/*/", path.split("?")[0])
        for role in PAGES.values()
        for path in role.values()
    }
    things = {name: one for role in THINGS.values() for name, (_, one) in role.items()}
    walked |= set(things.values())
    walked |= {f"{things[name]}/{form}" for name, forms in FORMS.items() for form in forms}
    missing = {
        rule for rule in pages - SHOWN_ELSEWHERE if re.sub("<[^>]+>", "*", rule) not in walked
    }
    assert missing == set()
