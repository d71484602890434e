"""Every route is guarded: who gets which answer, and nothing of a foreign territory anywhere."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.guard import route_action
from core.policy import PUBLIC, guard
from core.settings import Settings
from tests import doors, makers
from tests.doors import World

pytestmark = pytest.mark.slow

# Routes that answer without sign-in; whoever adds one here says why in the review.
OPEN = {
    "static",
    "core.earlier_file",
    "security.static",
    "security.login",
    "security.logout",
    "core.choose_language",
    # Not found but for administrators, or programs of the same machine where that is set.
    "metrics",
    # What phones are to trust before they can sign in.
    "core.authority",
    "core.authority_certificate",
    "healthz",
    "readyz",
    # Whoever holds the link of a notice answers for its owner, without an account.
    "notices.by_link",
    "notices.answer",
    "notices.photo_by_link",
    "notices.file_by_link",
    "api_notice_links.Linked",
    "api_notice_links.LinkReplies",
    "api_notice_links.LinkPhoto",
    "api_notice_links.LinkFile",
}
# Routes of the sign-in library that want a person's own session: a token is not enough to
# change a password or to prove who sits there.
SESSION_ONLY = {"security.change_password", "security.verify"}

ADMIN, STAFF, INSPECTOR, OFFICER, OPERATOR = (
    "admin",
    "staff",
    "inspector",
    "local_officer",
    "operator",
)
EVERYBODY = {ADMIN, STAFF, INSPECTOR, OFFICER, OPERATOR}
READERS = EVERYBODY - {OPERATOR}

# Who has the function behind each rule and method. All others get 403.
TABLE: dict[tuple[str, str], set[str]] = {
    ("/", "GET"): EVERYBODY,
    ("/account", "GET"): EVERYBODY,
    ("/account/tokens", "POST"): EVERYBODY,
    ("/account/tokens/<uuid:token_id>/revoke", "POST"): EVERYBODY,
    ("/api/docs", "GET"): EVERYBODY,
    ("/api/openapi.json", "GET"): EVERYBODY,
    ("/api/v1/areas", "GET"): EVERYBODY,
    ("/api/v1/areas/<level>/<code>", "GET"): EVERYBODY,
    ("/api/v1/areas/<level>/<code>/timeline", "GET"): EVERYBODY,
    ("/api/v1/areas/boundaries", "GET"): EVERYBODY,
    ("/api/v1/areas/match", "GET"): EVERYBODY,
    ("/api/v1/assessments", "GET"): READERS,
    ("/api/v1/assessments/<uuid:assessment_id>", "GET"): READERS,
    ("/api/v1/assessments/<uuid:assessment_id>/answer", "POST"): {STAFF},
    ("/api/v1/assignments", "GET"): READERS,
    ("/api/v1/assignments", "POST"): {STAFF},
    ("/api/v1/assignments/<uuid:assignment_id>", "GET"): READERS,
    ("/api/v1/assignments/<uuid:assignment_id>", "PUT"): {STAFF},
    ("/api/v1/assignments/<uuid:assignment_id>/withdrawal", "POST"): {STAFF},
    ("/api/v1/campaigns", "GET"): READERS,
    ("/api/v1/campaigns", "POST"): {STAFF},
    ("/api/v1/campaigns/<uuid:campaign_id>", "GET"): READERS,
    ("/api/v1/campaigns/<uuid:campaign_id>", "PUT"): {STAFF},
    ("/api/v1/campaigns/<uuid:campaign_id>/assignments", "POST"): {STAFF},
    ("/api/v1/campaigns/<uuid:campaign_id>/work", "GET"): READERS,
    ("/api/v1/campaigns/<uuid:campaign_id>/work/cancel", "POST"): {STAFF},
    ("/api/v1/campaigns/<uuid:campaign_id>/progress", "GET"): READERS,
    ("/api/v1/campaigns/<uuid:campaign_id>/removals", "POST"): {STAFF},
    ("/api/v1/campaigns/<uuid:campaign_id>/state", "POST"): {STAFF},
    ("/api/v1/campaigns/<uuid:campaign_id>/towers", "POST"): {STAFF},
    ("/api/v1/campaigns/preview", "POST"): {STAFF},
    ("/api/v1/checklists", "GET"): READERS,
    ("/api/v1/checklists/<int:number>", "GET"): READERS,
    ("/api/v1/checklists", "POST"): {STAFF},
    ("/api/v1/checklists/<int:number>", "PUT"): {STAFF},
    ("/api/v1/checklists/<int:number>", "DELETE"): {STAFF},
    ("/api/v1/checklists/<int:draft>/items/<key>", "PUT"): {STAFF},
    ("/api/v1/checklists/<int:draft>/items/<key>", "DELETE"): {STAFF},
    ("/api/v1/checklists/<int:number>/differences", "GET"): READERS,
    ("/api/v1/checklists/<int:draft>/groups/<key>", "PUT"): {STAFF},
    ("/api/v1/checklists/<int:draft>/groups/<key>", "DELETE"): {STAFF},
    ("/api/v1/checklists/<int:draft>/groups/<key>/place", "POST"): {STAFF},
    ("/api/v1/checklists/<int:draft>/items/<key>/place", "POST"): {STAFF},
    ("/api/v1/checklists/<int:draft>/back-test", "GET"): {STAFF},
    ("/api/v1/checklists/<int:draft>/back-test", "POST"): {STAFF},
    ("/api/v1/checklists/<int:draft>/back-test/findings", "GET"): {STAFF},
    ("/api/v1/checklists/<int:draft>/publication", "POST"): {STAFF},
    ("/api/v1/devices", "GET"): EVERYBODY,
    ("/api/v1/devices", "POST"): EVERYBODY,
    ("/api/v1/devices/<uuid:device_id>", "DELETE"): EVERYBODY,
    ("/api/v1/documents", "GET"): READERS,
    ("/api/v1/documents", "POST"): {STAFF, INSPECTOR, OFFICER},
    ("/api/v1/documents/<uuid:document_id>", "GET"): READERS,
    ("/api/v1/documents/<uuid:document_id>/<variant>", "GET"): READERS,
    ("/api/v1/documents/<uuid:document_id>/removal", "POST"): {STAFF},
    ("/api/v1/exports", "GET"): READERS,
    ("/api/v1/exports", "POST"): READERS,
    ("/api/v1/exports/<uuid:export_id>", "GET"): READERS,
    ("/api/v1/exports/<uuid:export_id>/cancel", "POST"): READERS,
    ("/api/v1/exports/<uuid:export_id>/file", "GET"): READERS,
    ("/api/v1/field/areas", "GET"): {INSPECTOR},
    ("/api/v1/field/checklists/<int:published>", "GET"): {INSPECTOR},
    ("/api/v1/field/receipts", "GET"): {INSPECTOR},
    ("/api/v1/field/towers", "GET"): {INSPECTOR},
    ("/api/v1/field/work", "GET"): {INSPECTOR},
    ("/api/v1/follow-up", "GET"): READERS,
    ("/api/v1/follow-up/assignments", "POST"): {STAFF},
    ("/api/v1/follow-up/returned", "POST"): {STAFF},
    ("/api/v1/follow-up/saved", "GET"): READERS,
    ("/api/v1/follow-up/saved", "POST"): READERS,
    ("/api/v1/follow-up/saved/<uuid:saved_id>", "DELETE"): READERS,
    ("/api/v1/follow-up/saved/<uuid:saved_id>", "GET"): READERS,
    ("/api/v1/follow-up/saved/<uuid:saved_id>", "PUT"): READERS,
    ("/api/v1/imports", "GET"): {STAFF},
    ("/api/v1/imports", "POST"): {STAFF},
    ("/api/v1/imports/<uuid:batch_id>", "GET"): {STAFF},
    ("/api/v1/imports/<uuid:batch_id>", "PATCH"): {STAFF},
    ("/api/v1/imports/<uuid:batch_id>/cancel", "POST"): {STAFF},
    ("/api/v1/imports/<uuid:batch_id>/confirm", "POST"): {STAFF},
    ("/api/v1/imports/<uuid:batch_id>/duplicates/<uuid:duplicate_id>", "POST"): {STAFF},
    ("/api/v1/imports/<uuid:batch_id>/undo", "POST"): {STAFF},
    ("/api/v1/inspections", "GET"): READERS,
    ("/api/v1/inspections", "POST"): {INSPECTOR},
    ("/api/v1/inspections/<uuid:inspection_id>", "GET"): READERS,
    ("/api/v1/inspections/<uuid:inspection_id>", "PUT"): {INSPECTOR},
    ("/api/v1/inspections/<uuid:inspection_id>/review", "POST"): {STAFF},
    ("/api/v1/inspections/<uuid:inspection_id>/signatures", "POST"): {INSPECTOR},
    ("/api/v1/inspections/<uuid:inspection_id>/signatures/<uuid:signature_id>", "GET"): READERS,
    ("/api/v1/inspections/<uuid:inspection_id>/void-decision", "POST"): {STAFF},
    ("/api/v1/inspections/<uuid:inspection_id>/void-request", "POST"): {STAFF, INSPECTOR},
    ("/api/v1/inspections/assessment-requests", "POST"): {STAFF, INSPECTOR},
    ("/api/v1/notices", "GET"): READERS,
    ("/api/v1/notices", "POST"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>", "DELETE"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>", "GET"): READERS,
    ("/api/v1/notices/<uuid:notice_id>", "PUT"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>/document.<form>", "GET"): READERS,
    ("/api/v1/notices/<uuid:notice_id>/extensions", "POST"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>/issue", "POST"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>/links", "GET"): READERS,
    ("/api/v1/notices/<uuid:notice_id>/links", "POST"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>/service", "POST"): {STAFF},
    ("/api/v1/notices/<uuid:notice_id>/withdrawal", "POST"): {STAFF},
    ("/api/v1/notices/links/<uuid:link_id>/revocation", "POST"): {STAFF},
    ("/api/v1/organisations", "GET"): EVERYBODY,
    ("/api/v1/organisations", "POST"): {ADMIN, STAFF},
    ("/api/v1/organisations/<uuid:organisation_id>", "GET"): EVERYBODY,
    ("/api/v1/organisations/<uuid:organisation_id>", "PUT"): {ADMIN, STAFF},
    ("/api/v1/organisations/<uuid:organisation_id>", "PATCH"): {ADMIN, STAFF},
    ("/api/v1/organisations/<uuid:organisation_id>", "DELETE"): {ADMIN, STAFF},
    ("/api/v1/organisations/<uuid:organisation_id>/timeline", "GET"): EVERYBODY,
    ("/api/v1/organisations/<uuid:organisation_id>/merge", "POST"): {ADMIN, STAFF},
    ("/api/v1/own-notices", "GET"): {OPERATOR},
    ("/api/v1/own-notices/<uuid:own_notice_id>", "GET"): {OPERATOR},
    ("/api/v1/own-notices/<uuid:own_notice_id>/notice.<form>", "GET"): {OPERATOR},
    ("/api/v1/own-notices/<uuid:own_notice_id>/photos/<uuid:photo_id>", "GET"): {OPERATOR},
    ("/api/v1/own-notices/<uuid:own_notice_id>/replies", "POST"): {OPERATOR},
    ("/api/v1/own-notices/violations", "GET"): {OPERATOR},
    ("/api/v1/outbox", "GET"): {ADMIN, STAFF},
    ("/api/v1/outbox/<uuid:reminder_id>", "GET"): {ADMIN, STAFF},
    ("/api/v1/outbox/<uuid:reminder_id>/retry", "POST"): {STAFF},
    ("/api/v1/permits", "GET"): READERS,
    ("/api/v1/photos", "GET"): READERS,
    ("/api/v1/photos", "POST"): {INSPECTOR},
    ("/api/v1/photos/<uuid:photo_id>", "GET"): READERS,
    ("/api/v1/photos/<uuid:photo_id>/<variant>", "GET"): READERS,
    ("/api/v1/proposals", "GET"): READERS,
    ("/api/v1/proposals", "POST"): {INSPECTOR, OFFICER},
    ("/api/v1/proposals/<uuid:proposal_id>", "GET"): READERS,
    ("/api/v1/proposals/<uuid:proposal_id>/decision", "POST"): {STAFF},
    ("/api/v1/proposals/<uuid:proposal_id>/withdrawal", "POST"): {INSPECTOR, OFFICER},
    ("/api/v1/statistics", "GET"): READERS,
    ("/api/v1/tower-merges", "POST"): {STAFF},
    ("/api/v1/towers", "GET"): READERS,
    ("/api/v1/towers", "POST"): {STAFF},
    ("/api/v1/towers.geojson", "GET"): READERS,
    ("/api/v1/towers/bulk", "POST"): {STAFF},
    ("/api/v1/towers/<code>", "GET"): READERS,
    ("/api/v1/towers/<code>", "PATCH"): {STAFF},
    ("/api/v1/towers/<code>", "PUT"): {STAFF},
    ("/api/v1/towers/<code>/anchors", "GET"): READERS,
    ("/api/v1/towers/<code>/anchors", "POST"): {STAFF},
    ("/api/v1/towers/<code>/anchors/<uuid:part_id>", "DELETE"): {STAFF},
    ("/api/v1/towers/<code>/anchors/<uuid:part_id>", "GET"): READERS,
    ("/api/v1/towers/<code>/anchors/<uuid:part_id>", "PUT"): {STAFF},
    ("/api/v1/towers/<code>/footprint", "DELETE"): {STAFF},
    ("/api/v1/towers/<code>/footprint", "GET"): READERS,
    ("/api/v1/towers/<code>/footprint", "PUT"): {STAFF},
    ("/api/v1/towers/<code>/history", "GET"): READERS,
    ("/api/v1/towers/<code>/timeline", "GET"): READERS,
    ("/api/v1/towers/<code>/installations", "GET"): READERS,
    ("/api/v1/towers/<code>/installations", "POST"): {STAFF},
    ("/api/v1/towers/<code>/installations/<uuid:part_id>", "DELETE"): {STAFF},
    ("/api/v1/towers/<code>/installations/<uuid:part_id>", "GET"): READERS,
    ("/api/v1/towers/<code>/installations/<uuid:part_id>", "PUT"): {STAFF},
    ("/api/v1/towers/<code>/permits", "GET"): READERS,
    ("/api/v1/towers/<code>/permits", "POST"): {STAFF},
    ("/api/v1/towers/<code>/permits/<uuid:part_id>", "DELETE"): {STAFF},
    ("/api/v1/towers/<code>/permits/<uuid:part_id>", "GET"): READERS,
    ("/api/v1/towers/<code>/permits/<uuid:part_id>", "PUT"): {STAFF},
    ("/api/v1/violations", "GET"): READERS,
    ("/api/v1/violations/<uuid:violation_id>", "GET"): READERS,
    ("/api/v1/violations/<uuid:violation_id>/timeline", "GET"): READERS,
    ("/api/v1/violations/<uuid:violation_id>/events", "POST"): {STAFF},
    ("/api/v1/vocabularies", "GET"): READERS,
    ("/areas", "GET"): EVERYBODY,
    ("/areas/<int:area_id>", "GET"): EVERYBODY,
    ("/areas/load", "GET"): {ADMIN},
    ("/areas/load", "POST"): {ADMIN},
    ("/areas/load/<token>", "POST"): {ADMIN},
    ("/assessments", "GET"): READERS,
    ("/assessments/<uuid:assessment_id>", "GET"): READERS,
    ("/assessments/<uuid:assessment_id>/answer", "POST"): {STAFF},
    ("/assignments", "GET"): READERS,
    ("/assignments/<uuid:assignment_id>", "GET"): READERS,
    ("/assignments/<uuid:assignment_id>/give", "POST"): {STAFF},
    ("/assignments/<uuid:assignment_id>/withdraw", "POST"): {STAFF},
    ("/assignments/near", "POST"): {INSPECTOR},
    ("/campaigns", "GET"): READERS,
    ("/campaigns/<uuid:campaign_id>", "GET"): READERS,
    ("/campaigns/<uuid:campaign_id>/work/state.json", "GET"): READERS,
    ("/campaigns/<uuid:campaign_id>/work/cancel", "POST"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/assignments", "POST"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/edit", "GET"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/edit", "POST"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/removals", "POST"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/state", "POST"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/towers", "GET"): {STAFF},
    ("/campaigns/<uuid:campaign_id>/towers", "POST"): {STAFF},
    ("/campaigns/new", "GET"): {STAFF},
    ("/campaigns/new", "POST"): {STAFF},
    ("/checklists", "GET"): READERS,
    ("/checklists", "POST"): {STAFF},
    ("/checklists/<int:number>", "GET"): READERS,
    ("/checklists/<int:number>.xlsx", "GET"): READERS,
    ("/checklists/<int:number>.yaml", "GET"): READERS,
    ("/checklists/<int:number>/changes", "GET"): READERS,
    ("/checklists/<int:draft>/groups", "POST"): {STAFF},
    ("/checklists/<int:draft>/groups/<key>", "POST"): {STAFF},
    ("/checklists/<int:draft>/groups/<key>/remove", "POST"): {STAFF},
    ("/checklists/<int:draft>/groups/<key>/place", "POST"): {STAFF},
    ("/checklists/<int:draft>/items/<key>/place", "POST"): {STAFF},
    ("/checklists/<int:draft>/back-test", "GET"): {STAFF},
    ("/checklists/<int:draft>/back-test", "POST"): {STAFF},
    ("/checklists/<int:draft>/back-test/state.json", "GET"): {STAFF},
    ("/checklists/<int:draft>/discard", "POST"): {STAFF},
    ("/checklists/<int:draft>/import", "POST"): {STAFF},
    ("/checklists/<int:draft>/items/new", "GET"): {STAFF},
    ("/checklists/<int:draft>/items/new", "POST"): {STAFF},
    ("/checklists/<int:draft>/items/<key>/edit", "GET"): {STAFF},
    ("/checklists/<int:draft>/items/<key>/edit", "POST"): {STAFF},
    ("/checklists/<int:draft>/items/<key>/remove", "POST"): {STAFF},
    ("/checklists/<int:draft>/publish", "POST"): {STAFF},
    ("/documents/<uuid:document_id>/remove", "POST"): {STAFF},
    ("/exports", "GET"): READERS,
    ("/exports/<uuid:export_id>", "GET"): READERS,
    ("/exports/<uuid:export_id>/cancel", "POST"): READERS,
    ("/exports/<uuid:export_id>/file", "GET"): READERS,
    ("/follow-up", "GET"): READERS,
    ("/follow-up.csv", "GET"): READERS,
    ("/follow-up.geojson", "GET"): READERS,
    ("/follow-up.gpkg", "GET"): READERS,
    ("/follow-up.kml", "GET"): READERS,
    ("/follow-up.pdf", "GET"): READERS,
    ("/follow-up.xlsx", "GET"): READERS,
    ("/follow-up/assign", "POST"): {STAFF},
    ("/follow-up/return", "GET"): {STAFF},
    ("/follow-up/return", "POST"): {STAFF},
    ("/follow-up/return/<token>", "POST"): {STAFF},
    ("/follow-up/saved", "POST"): READERS,
    ("/follow-up/saved/<uuid:saved_id>", "GET"): READERS,
    ("/follow-up/saved/<uuid:saved_id>/remove", "POST"): READERS,
    ("/inspections", "GET"): READERS,
    ("/inspections/<uuid:inspection_id>", "GET"): READERS,
    ("/inspections/<uuid:inspection_id>/discard", "POST"): {INSPECTOR},
    ("/inspections/<uuid:inspection_id>/edit", "GET"): {INSPECTOR},
    ("/inspections/<uuid:inspection_id>/edit", "POST"): {INSPECTOR},
    ("/inspections/<uuid:inspection_id>/review", "POST"): {STAFF},
    ("/inspections/<uuid:inspection_id>/record.docx", "GET"): READERS,
    ("/inspections/<uuid:inspection_id>/record.pdf", "GET"): READERS,
    ("/inspections/<uuid:inspection_id>/sign", "POST"): {INSPECTOR},
    ("/inspections/<uuid:inspection_id>/void", "POST"): {STAFF},
    ("/inspections/<uuid:inspection_id>/void-request", "POST"): {STAFF, INSPECTOR},
    ("/map", "GET"): READERS,
    ("/map/area/<int:area_id>", "GET"): EVERYBODY,
    ("/map/areas/<int:area_id>.geojson", "GET"): EVERYBODY,
    ("/map/base.json", "GET"): EVERYBODY,
    ("/map/campaign/<uuid:campaign_id>", "GET"): READERS,
    ("/map/campaigns/<uuid:campaign_id>.json", "GET"): READERS,
    ("/map/campaigns.json", "GET"): {STAFF},
    ("/map/choose", "GET"): {STAFF},
    ("/map/communes.geojson", "GET"): EVERYBODY,
    ("/map/document", "GET"): READERS,
    ("/map/extent.json", "GET"): READERS,
    ("/map/figures.json", "GET"): READERS,
    ("/map/history.json", "GET"): READERS,
    ("/map/history/<uuid:tower_id>.json", "GET"): READERS,
    ("/map/import/<uuid:batch_id>", "GET"): {STAFF},
    ("/map/fall-zones.json", "GET"): READERS,
    ("/map/islands.json", "GET"): EVERYBODY,
    ("/map/list.json", "GET"): READERS,
    ("/map/owners.json", "GET"): READERS,
    ("/map/picker", "GET"): READERS,
    ("/map/places/<code>.json", "GET"): READERS,
    ("/map/places", "GET"): READERS,
    ("/map/pictures/<int:layer_id>.pmtiles", "GET"): EVERYBODY,
    ("/map/provinces.geojson", "GET"): EVERYBODY,
    ("/map/surroundings/<code>.json", "GET"): READERS,
    ("/map/tower/<code>", "GET"): READERS,
    ("/map/towers/<uuid:tower_id>.json", "GET"): READERS,
    ("/map/towers.html", "GET"): READERS,
    ("/map/print", "GET"): READERS,
    ("/map/print.pdf", "GET"): READERS,
    ("/map/print.png", "GET"): READERS,
    ("/notice-files/<uuid:file_id>", "GET"): READERS,
    ("/notice-links/<uuid:link_id>/revoke", "POST"): {STAFF},
    ("/notices", "GET"): READERS,
    ("/notices/<uuid:notice_id>", "GET"): READERS,
    ("/notices/<uuid:notice_id>/discard", "POST"): {STAFF},
    ("/notices/<uuid:notice_id>/document.<form>", "GET"): READERS,
    ("/notices/<uuid:notice_id>/edit", "GET"): {STAFF},
    ("/notices/<uuid:notice_id>/edit", "POST"): {STAFF},
    ("/notices/<uuid:notice_id>/extensions", "POST"): {STAFF},
    ("/notices/<uuid:notice_id>/issue", "POST"): {STAFF},
    ("/notices/<uuid:notice_id>/links", "POST"): {STAFF},
    ("/notices/<uuid:notice_id>/service", "POST"): {STAFF},
    ("/notices/<uuid:notice_id>/withdraw", "POST"): {STAFF},
    ("/notices/new", "GET"): {STAFF},
    ("/notices/new", "POST"): {STAFF},
    ("/notices/template", "GET"): {ADMIN, STAFF},
    ("/notices/template", "POST"): {ADMIN, STAFF},
    ("/notices/template.docx", "GET"): {ADMIN, STAFF},
    ("/notices/template/reset", "POST"): {ADMIN, STAFF},
    ("/organisations", "GET"): EVERYBODY,
    ("/organisations/<uuid:organisation_id>", "GET"): EVERYBODY,
    ("/organisations/<uuid:organisation_id>/delete", "POST"): {ADMIN, STAFF},
    ("/organisations/<uuid:organisation_id>/edit", "GET"): {ADMIN, STAFF},
    ("/organisations/<uuid:organisation_id>/edit", "POST"): {ADMIN, STAFF},
    ("/organisations/<uuid:organisation_id>/merge", "GET"): {ADMIN, STAFF},
    ("/organisations/<uuid:organisation_id>/merge", "POST"): {ADMIN, STAFF},
    ("/organisations/new", "GET"): {ADMIN, STAFF},
    ("/organisations/new", "POST"): {ADMIN, STAFF},
    ("/own-notices", "GET"): {OPERATOR},
    ("/own-notices/<uuid:own_notice_id>", "GET"): {OPERATOR},
    ("/own-notices/<uuid:own_notice_id>", "POST"): {OPERATOR},
    ("/own-notices/<uuid:own_notice_id>/notice.<form>", "GET"): {OPERATOR},
    ("/own-notices/<uuid:own_notice_id>/photos/<uuid:photo_id>", "GET"): {OPERATOR},
    ("/own-violations", "GET"): {OPERATOR},
    ("/outbox", "GET"): {ADMIN, STAFF},
    ("/outbox/<uuid:reminder_id>/retry", "POST"): {STAFF},
    ("/password", "GET"): EVERYBODY,
    ("/password", "POST"): EVERYBODY,
    ("/proposals", "GET"): READERS,
    ("/proposals/<uuid:proposal_id>", "GET"): READERS,
    ("/proposals/<uuid:proposal_id>/decide", "POST"): {STAFF},
    ("/proposals/<uuid:proposal_id>/withdraw", "POST"): {INSPECTOR, OFFICER},
    ("/search", "GET"): READERS,
    ("/search.json", "GET"): READERS,
    ("/statistics", "GET"): READERS,
    ("/statistics.csv", "GET"): READERS,
    ("/statistics.xlsx", "GET"): READERS,
    ("/statistics/<chart>.csv", "GET"): READERS,
    ("/statistics/<chart>.svg", "GET"): READERS,
    ("/statistics/<chart>.xlsx", "GET"): READERS,
    ("/tiles/base/<int:z>/<int:x>/<int:y>.mvt", "GET"): EVERYBODY,
    ("/tiles/towers/<int:z>/<int:x>/<int:y>.mvt", "GET"): READERS,
    ("/tiles/towers/counts.json", "GET"): READERS,
    ("/towers", "GET"): READERS,
    ("/towers/<code>", "GET"): READERS,
    ("/towers/<code>/anchors/<uuid:part_id>/edit", "GET"): {STAFF},
    ("/towers/<code>/anchors/<uuid:part_id>/edit", "POST"): {STAFF},
    ("/towers/<code>/anchors/<uuid:part_id>/remove", "POST"): {STAFF},
    ("/towers/<code>/anchors/new", "GET"): {STAFF},
    ("/towers/<code>/anchors/new", "POST"): {STAFF},
    ("/towers/<code>/assessment", "POST"): {STAFF, INSPECTOR},
    ("/towers/<code>/assignments", "GET"): {STAFF},
    ("/towers/<code>/assignments", "POST"): {STAFF},
    ("/towers/<code>/documents", "POST"): {STAFF, INSPECTOR, OFFICER},
    ("/towers/<code>/edit", "GET"): {STAFF},
    ("/towers/<code>/edit", "POST"): {STAFF},
    ("/towers/<code>/footprint/edit", "GET"): {STAFF},
    ("/towers/<code>/footprint/edit", "POST"): {STAFF},
    ("/towers/<code>/history", "GET"): READERS,
    ("/towers/<code>/inspect", "GET"): {INSPECTOR},
    ("/towers/<code>/inspect", "POST"): {INSPECTOR},
    ("/api/v1/sync", "POST"): {INSPECTOR},
    ("/api/v1/uploads", "POST"): {INSPECTOR},
    ("/api/v1/uploads/<uuid:photo_id>", "GET"): {INSPECTOR},
    ("/api/v1/uploads/<uuid:photo_id>", "PATCH"): {INSPECTOR},
    ("/devices", "GET"): EVERYBODY,
    ("/devices/<uuid:device_id>/revoke", "POST"): EVERYBODY,
    ("/field/import", "GET"): {STAFF},
    ("/field/import", "POST"): {STAFF},
    ("/field/review", "GET"): {STAFF},
    ("/field/review/<uuid:item_id>", "GET"): {STAFF},
    ("/field/review/<uuid:item_id>", "POST"): {STAFF},
    ("/inspections/<uuid:inspection_id>/versions", "GET"): READERS,
    ("/towers/columns", "POST"): READERS,
    ("/towers/<code>/merge", "GET"): {STAFF},
    ("/towers/<code>/merge", "POST"): {STAFF},
    ("/towers/<code>/propose", "GET"): {INSPECTOR, OFFICER},
    ("/towers/<code>/propose", "POST"): {INSPECTOR, OFFICER},
    ("/towers/<code>/installations/<uuid:part_id>/edit", "GET"): {STAFF},
    ("/towers/<code>/installations/<uuid:part_id>/edit", "POST"): {STAFF},
    ("/towers/<code>/installations/<uuid:part_id>/remove", "POST"): {STAFF},
    ("/towers/<code>/installations/new", "GET"): {STAFF},
    ("/towers/<code>/installations/new", "POST"): {STAFF},
    ("/towers/<code>/permits/<uuid:part_id>/edit", "GET"): {STAFF},
    ("/towers/<code>/permits/<uuid:part_id>/edit", "POST"): {STAFF},
    ("/towers/<code>/permits/<uuid:part_id>/remove", "POST"): {STAFF},
    ("/towers/<code>/permits/new", "GET"): {STAFF},
    ("/towers/<code>/permits/new", "POST"): {STAFF},
    ("/towers/<code>/sign", "GET"): READERS,
    ("/towers/export", "GET"): READERS,
    ("/towers/import", "GET"): {STAFF},
    ("/towers/import", "POST"): {STAFF},
    ("/towers/imports", "GET"): {STAFF},
    ("/towers/imports/<uuid:batch_id>", "GET"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/cancel", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/check", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/columns", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/duplicates/<uuid:duplicate_id>", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/import", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/part", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/undo", "POST"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/points.json", "GET"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/report.xlsx", "GET"): {STAFF},
    ("/towers/imports/<uuid:batch_id>/state.json", "GET"): {STAFF},
    ("/towers/new", "GET"): {STAFF},
    ("/towers/new", "POST"): {STAFF},
    ("/towers/reassign", "GET"): {ADMIN, STAFF},
    ("/towers/reassign", "POST"): {ADMIN, STAFF},
    ("/towers/reassign.csv", "GET"): {ADMIN, STAFF},
    ("/towers/reassignments/<uuid:batch>", "GET"): {ADMIN, STAFF},
    ("/towers/reassignments/<uuid:batch>.csv", "GET"): {ADMIN, STAFF},
    ("/towers/propose", "GET"): {INSPECTOR, OFFICER},
    ("/towers/propose", "POST"): {INSPECTOR, OFFICER},
    ("/towers/new/position.json", "GET"): READERS,
    ("/towers/permits", "GET"): READERS,
    ("/towers/vocabularies", "GET"): READERS,
    ("/users", "GET"): {ADMIN},
    ("/users/<uuid:user_id>", "GET"): {ADMIN},
    ("/users/<uuid:user_id>", "POST"): {ADMIN},
    ("/users/<uuid:user_id>/password", "POST"): {ADMIN},
    ("/users/new", "GET"): {ADMIN},
    ("/users/new", "POST"): {ADMIN},
    ("/users/territories", "POST"): {ADMIN},
    ("/verify", "GET"): EVERYBODY,
    ("/verify", "POST"): EVERYBODY,
    ("/violations", "GET"): READERS,
    ("/violations/<uuid:violation_id>", "GET"): READERS,
    ("/violations/<uuid:violation_id>/steps", "POST"): {STAFF},
}

# What writes down who took it along.
EXPORTS = {
    "/towers/export", "/follow-up.csv", "/follow-up.geojson", "/follow-up.gpkg", "/follow-up.kml",
    "/follow-up.xlsx", "/statistics.csv", "/statistics.xlsx", "/statistics/<chart>.csv",
    "/statistics/<chart>.xlsx",
    "/follow-up.pdf", "/map/towers.html", "/map/print.pdf", "/map/print.png",
}  # fmt: skip

# The rules that name one thing of the register: outside the territory there is nothing.
OF_A_PLACE = (
    "<uuid:inspection_id>",
    "<uuid:photo_id>",
    "<uuid:assessment_id>",
    "<uuid:violation_id>",
    "<uuid:tower_id>",
    "<uuid:document_id>",
    "<uuid:proposal_id>",
    "/towers/<code>",
    "/map/places/<code>",
    "/map/surroundings/<code>",
    "<uuid:part_id>",
    "<uuid:campaign_id>",
    "<uuid:assignment_id>",
    "<uuid:notice_id>",
    "<uuid:file_id>",
    "<uuid:item_id>",
)
# Documents of maps are the same for everything; what they ask for by address is guarded.
CONSTANT = {"/map/tower/<code>", "/map/campaign/<uuid:campaign_id>"}

# The box leads to a tower or to the list, a saved list to its filters.
LEADING_ON = {"/search", "/follow-up/saved/<uuid:saved_id>"}

QUERIES = {
    "/api/v1/areas/match": "?text=90001",
    "/map/campaigns/<uuid:campaign_id>.json": "?zoom=18&bbox=100,5,115,20",
    "/map/fall-zones.json": "?bbox=105.4,10.4,105.8,10.6",
    "/api/v1/field/receipts": "?ids={inspection_id}",
    "/map/list.json": "?bbox=100,5,115,20",
    "/api/v1/photos": "?inspection={inspection_id}",
    "/api/v1/documents": "?tower={code}",
    "/notices/new": "?owner={organisation_id}",
}


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Every rule with each method that somebody answers, and its endpoint."""
    return sorted(
        (rule.rule, method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    )


def address(rule: str, values: dict[str, object]) -> str:
    """A rule with its variables filled in."""
    path = rule
    parts = values.get("parts")
    if isinstance(parts, dict):
        kind = next((kind for kind in parts if f"/{kind}/" in rule), None)
        values = {**values, "part_id": parts.get(kind)}
    for name, value in values.items():
        for converter in ("", "uuid:", "int:", "path:"):
            path = path.replace(f"<{converter}{name}>", str(value))
    assert "<" not in path, rule
    return path + QUERIES.get(rule, "").format(**values)


def of(place: doors.Place, w: World, role: str = "staff") -> dict[str, object]:
    return {
        "inspection_id": place.inspection,
        "photo_id": place.photo,
        "signature_id": place.signature,
        "assessment_id": place.assessment,
        "violation_id": place.violation,
        "document_id": place.document,
        "proposal_id": place.proposal,
        "campaign_id": place.campaign,
        "assignment_id": place.assignment,
        "tower_id": place.tower.id,
        "code": place.tower.code,
        "variant": "full",
        "level": "commune",
        "number": 2,
        "draft": 2,
        "key": "sit_fence",
        "token": "0" * 32,
        "token_id": uuid.UUID(int=1),
        "organisation_id": w.owner.id,
        "user_id": w.people["admin"].id,
        "parts": place.parts,
        "filename": "dist/core-app.css", "version": "0",
        "area_id": place.commune.id,
        "chart": "months",
        "batch": w.batch,
        "batch_id": w.imported,
        "duplicate_id": uuid.UUID(int=1),
        "saved_id": w.saved,
        "export_id": w.exports[role],
        "reminder_id": w.reminder,
        "notice_id": place.notice,
        "own_notice_id": place.told,
        "file_id": place.notice_file,
        "link_id": uuid.UUID(int=1),
        "device_id": uuid.UUID(int=1),
        "item_id": place.review,
        "published": 1,
        "layer_id": w.layer,
        "form": "pdf",
        # Where the towers of both places stand.
        "z": 8, "x": 203, "y": 120,
    }  # fmt: skip


def missing() -> dict[str, object]:
    return {
        **{
            name: uuid.UUID(int=7)
            for name in (
                "inspection_id", "photo_id", "signature_id", "assessment_id",
                "violation_id", "tower_id", "token_id",
                "document_id", "proposal_id", "organisation_id", "user_id", "batch", "part_id",
                "batch_id", "duplicate_id", "saved_id", "export_id", "reminder_id",
                "notice_id", "own_notice_id", "file_id", "link_id", "campaign_id", "assignment_id",
                "device_id", "item_id",
            )
        },
        "code": "KHONG-CO", "variant": "full", "level": "commune", "number": 1,
        "draft": 2, "key": "sit_fence", "published": 9,
        "token": "0" * 32, "form": "pdf", "filename": "dist/nothing.css",
        "version": "0", "area_id": 999_999_999,
        "chart": "nothing", "layer_id": 999_999_999, "z": 3, "x": 8, "y": 0,
    }  # fmt: skip


def ask(client: FlaskClient, method: str, path: str):
    """The request with an empty JSON body under `/api`, an empty form elsewhere."""
    if method in {"GET", "HEAD"}:
        return client.open(path, method=method)
    if path.startswith("/api/") and not path.startswith("/api/v1/photos"):
        return client.open(path, method=method, json={})
    return client.open(path, method=method, data={})


def test_every_route_that_is_not_public_stands_in_the_table(app: Flask) -> None:
    here = {(rule, method) for rule, method, endpoint in routes(app) if endpoint not in OPEN}
    assert here == set(TABLE)


def test_the_public_routes_are_the_listed_ones(app: Flask) -> None:
    public = {
        endpoint
        for rule, method, endpoint in routes(app)
        if route_action(app, endpoint, method) == PUBLIC
    }
    assert public == OPEN


def test_without_sign_in_nothing_answers(app: Flask, session: Session) -> None:
    before = doors.counts(session)
    client = app.test_client()
    token = doors.csrf_of(client.get("/sign-in").get_data(as_text=True))
    client.environ_base["HTTP_X_CSRFTOKEN"] = token
    for one in (client, app.test_client()):
        for rule, method, endpoint in routes(app):
            if endpoint in OPEN:
                continue
            response = ask(one, method, address(rule, missing()))
            if rule.startswith("/api/") or rule.endswith(("json", ".mvt", ".pmtiles")):
                doors.refused(response, 401)
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
            elif method == "GET":
                assert response.status_code == 302, (rule, response.status_code)
                assert response.headers["Location"].startswith("/sign-in?next=%2F") or (
                    response.headers["Location"].startswith("/sign-in?next=/")
                ), rule
            else:
                wanted = {401} if one is client else {400}
                assert response.status_code in wanted, (rule, method, response.status_code)
    assert doors.counts(session) == before


def test_head_is_guarded_as_get_is(app: Flask) -> None:
    client = app.test_client()
    for rule, method, endpoint in routes(app):
        if method == "GET" and endpoint not in OPEN:
            status = client.head(address(rule, missing())).status_code
            assert status in {302, 401}, (rule, status)


def test_options_says_nothing_but_the_methods(app: Flask) -> None:
    client = app.test_client()
    for rule, _, _ in routes(app):
        response = client.options(address(rule, missing()))
        assert response.status_code in {200, 401}, rule
        assert response.status_code == 401 or response.data == b"", rule


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_each_role_gets_what_the_table_says(
    app: Flask, session: Session, world: doors.World, role: str
) -> None:
    """The role's functions answer, all others are 403 and change nothing."""
    client, values = world[role], of(world.here, world, role)
    before = doors.counts(session)
    for rule, method, endpoint in routes(app):
        if endpoint in OPEN:
            continue
        allowed = role in TABLE[rule, method]
        if allowed and method != "GET":
            continue
        values["code"] = "90001" if rule.startswith("/api/v1/areas") else world.here.tower.code
        response = ask(client, method, address(rule, values))
        if endpoint in SESSION_ONLY or (allowed and rule in LEADING_ON):
            assert response.status_code == 302
        elif allowed:
            assert response.status_code == 200, (rule, method, response.status_code)
        else:
            assert response.status_code == 403, (rule, method, response.status_code)
    # Who takes a list along is written down.
    exports = select(func.count()).where(AuditEntry.action.like("%.export"))
    taken = session.scalar(exports)
    before["audit_entry"] += taken
    before["export"] += taken
    assert doors.counts(session) == before
    assert taken == sum(role in TABLE[rule, "GET"] for rule in EXPORTS)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_writing_route_that_is_allowed_refuses_an_empty_body(
    session: Session, world: doors.World, role: str
) -> None:
    before = doors.counts(session)
    # What takes nothing but the address: a resend or a page without fields is its whole input.
    whole = {
        "/account/tokens", "/users/<uuid:user_id>/password", "/users/territories",
        "/towers/reassign",
    }  # fmt: skip
    for (rule, method), roles in sorted(TABLE.items()):
        if method == "GET" or role not in roles or rule in whole:
            continue
        response = ask(world[role], method, address(rule, of(world.here, world, role)))
        if rule in {"/password", "/verify"}:
            assert response.status_code == 302
        elif rule in {
            "/towers/<code>/assessment",
            "/outbox/<uuid:reminder_id>/retry",
            "/campaigns/<uuid:campaign_id>/work/cancel",
            "/towers/<code>/documents",
            "/documents/<uuid:document_id>/remove",
            "/inspections/<uuid:inspection_id>/review",
            "/inspections/<uuid:inspection_id>/sign",
            "/inspections/<uuid:inspection_id>/void",
            "/inspections/<uuid:inspection_id>/void-request",
            "/towers/columns",
        }:
            # These say what is wrong on the page they lead back to; no column means the usual ones.
            assert response.status_code == 302
        else:
            assert 400 <= response.status_code < 500, (rule, method, response.status_code)
    assert doors.counts(session) == before


@pytest.mark.parametrize("role", ["inspector", "local_officer"])
def test_a_foreign_thing_is_not_there(
    app: Flask, session: Session, world: doors.World, role: str
) -> None:
    before = doors.counts(session)
    for rule, method, endpoint in routes(app):
        if endpoint in OPEN or role not in TABLE[rule, method]:
            continue
        if not any(part in rule for part in OF_A_PLACE) or rule in CONSTANT:
            continue
        foreign = ask(world[role], method, address(rule, of(world.there, world, role)))
        absent = ask(world[role], method, address(rule, missing()))
        wanted = {404}
        if method == "PUT":
            # The body is read before the thing; an empty one is wrong for every thing alike.
            wanted = {422}
        assert foreign.status_code in wanted, (rule, method, foreign.status_code)
        assert absent.status_code == foreign.status_code, (rule, method)
    assert doors.counts(session) == before


def test_writing_to_a_foreign_thing_with_a_whole_body_is_404(
    session: Session, world: doors.World
) -> None:
    client, there = world["inspector"], world.there
    before = doors.counts(session)
    tag = {"If-Match": "*"}
    body = doors.visit(there.tower.code)
    doors.refused(
        client.put(f"/api/v1/inspections/{there.inspection}", json=body, headers=tag), 404
    )
    doors.refused(doors.send_photo(client, there.inspection), 404)
    foreign = doors.refused(
        client.post("/api/v1/inspections", json={**body, "id": str(uuid.uuid4())}), 422
    )
    nothing = doors.refused(
        client.post(
            "/api/v1/inspections", json={**doors.visit("KHONG-CO"), "id": str(uuid.uuid4())}
        ),
        422,
    )
    assert list(foreign["fields"]) == list(nothing["fields"]) == ["tower"]
    known = doors.refused(
        client.post("/api/v1/inspections", json={**body, "id": str(there.inspection)}),
        (404, 422),
    )
    assert there.tower.name not in str(known)
    asked = {"tower": there.tower.code, "reason": "dao động mạnh"}
    doors.refused(client.post("/api/v1/inspections/assessment-requests", json=asked), 422)
    assert doors.counts(session) == before


@pytest.mark.parametrize("role", ["inspector", "local_officer"])
def test_no_list_count_export_or_feed_shows_a_foreign_tower(
    app: Flask, world: doors.World, role: str
) -> None:
    client = world[role]
    marks = [
        text.encode()
        for text in (
            world.there.tower.code, world.there.tower.name, str(world.there.tower.id),
            str(world.there.inspection), str(world.there.photo), str(world.there.violation),
            str(world.there.document), str(world.there.proposal), str(world.there.assessment),
            str(world.there.campaign), str(world.there.assignment),
        )
    ]  # fmt: skip
    for rule, method, endpoint in routes(app):
        if endpoint in OPEN or method != "GET" or role not in TABLE[rule, method]:
            continue
        response = client.get(address(rule, of(world.here, world, role)))
        assert not any(mark in response.data for mark in marks), rule
    for path in ("/towers", "/follow-up", "/violations?state=", "/inspections"):
        for query in ("q=TRU", "q=there", "commune=90002"):
            joint = "&" if "?" in path else "?"
            data = client.get(f"{path}{joint}{query}").data
            assert not any(mark in data for mark in marks), (path, query)
    box = client.get("/map/extent.json").get_json()["box"]
    assert box[2] < 106
    assert client.get("/tiles/towers/counts.json").get_json() == {"matching": 1, "total": 1}
    assert len(client.get("/api/v1/towers").get_json()["items"]) == 1
    assert len(client.get("/api/v1/inspections").get_json()["items"]) == 1
    mine = {row["tower"] for row in client.get("/api/v1/follow-up").get_json()["items"]}
    assert mine == {world.here.tower.code}
    assert {row["tower"] for row in client.get("/api/v1/violations").get_json()["items"]} == mine


def another_app(app: Flask, settings: Settings) -> Flask:
    """An application of its own in the transaction of the test."""
    from app import create_app

    fresh = create_app(settings)
    fresh.extensions["database"].sessions = app.extensions["database"].sessions
    fresh.test_client_class = app.test_client_class
    return fresh


def test_a_route_that_names_no_action_is_refused(
    app: Flask, session: Session, settings: Settings
) -> None:
    fresh = another_app(app, settings)
    fresh.add_url_rule("/forgotten", view_func=lambda: "secret")
    client = doors.client_of(fresh, session, makers.user(session, "admin"))
    for reader, status in ((client, 403), (fresh.test_client(), 403)):
        response = reader.get("/forgotten")
        assert response.status_code == status
        assert b"secret" not in response.data


def test_an_action_that_no_policy_names_is_never_allowed(
    app: Flask, session: Session, settings: Settings
) -> None:
    fresh = another_app(app, settings)
    fresh.add_url_rule("/mistyped", view_func=guard("tower.viwe")(lambda: "secret"))
    client = doors.client_of(fresh, session, makers.user(session, "admin"))
    response = client.get("/mistyped")
    assert response.status_code == 500
    assert b"secret" not in response.data


def test_a_page_that_is_not_there_still_knows_its_reader(app: Flask, session: Session) -> None:
    person = makers.user(session, "staff", name="Lê Thị Mận")
    page = doors.client_of(app, session, person).get("/nowhere")
    assert page.status_code == 404
    assert "Lê Thị Mận" in page.get_data(as_text=True)


def test_doubled_slashes_lead_to_the_page(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    response = client.get("/towers//new")
    assert response.status_code == 308
    assert response.headers["Location"].endswith("/towers/new")
