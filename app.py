"""The application: the only place that names every feature and says who fills which slot."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import accounts.api
import accounts.audit_doors
import accounts.cli
import accounts.labels
import accounts.link_jobs
import accounts.openid_pages
import accounts.organisations
import accounts.pages
import accounts.policy
import accounts.privacy_cli
import accounts.security
import accounts.services.organisations
import accounts.services.privacy
import accounts.territories
import areas.api
import areas.cli
import areas.labels
import areas.pages
import areas.policy
import areas.services.following
import inspections.api
import inspections.back_test_jobs
import inspections.campaign_jobs
import inspections.cli
import inspections.field_api
import inspections.field_jobs
import inspections.field_pages
import inspections.labels
import inspections.notice_api
import inspections.notice_pages
import inspections.owner_api
import inspections.owner_pages
import inspections.pages
import inspections.panels
import inspections.policy
import inspections.queries.campaigns
import inspections.queries.field_review
import inspections.queries.own_notices
import inspections.reminder_jobs
import inspections.services.condition
import inspections.services.merge
import inspections.services.notices
import inspections.services.outbox
import inspections.sync_api
import inspections.timeline_sources
import inspections.work
import maps.base
import maps.cli
import maps.fall_zones
import maps.figure_pages
import maps.grid_jobs
import maps.history_pages
import maps.pages
import maps.taking_pages
import maps.tiles
import maps.work_pages
import towers.api
import towers.browsing
import towers.cli
import towers.downloads
import towers.export_jobs
import towers.fields
import towers.former
import towers.import_jobs
import towers.imports.review
import towers.labels
import towers.moves
import towers.pages
import towers.pages.parts
import towers.pages.reassigning
import towers.pages.tower
import towers.panels
import towers.parts
import towers.policy
import towers.queries
import towers.queries.proposals
import towers.services
import towers.services.merge
import towers.services.organisations
from core import (
    api,
    backup_cli,
    cli,
    compiled,
    db,
    dist,
    formats,
    guard,
    headers,
    health,
    i18n,
    jobs,
    labels,
    limits,
    logs,
    mail,
    merging,
    metrics,
    problems,
    retention,
    seal_jobs,
    slots,
)
from core import exports as core_exports
from core import pages as core_pages
from core.policy import SIGNED_IN
from core.settings import Settings
from core.slots import MenuItem
from core.words import N_
from inspections.campaign_models import Campaign
from inspections.notice_models import Notice
from towers.imports.models import ImportBatch
from towers.models import Tower

FEATURES = (accounts, areas, towers, inspections)

MENU = (
    MenuItem("inspections.dashboard", N_("Dashboard"), "dashboard", SIGNED_IN),
    MenuItem("maps.page", N_("Map"), "map", "tower.view"),
    MenuItem("towers.index", N_("Towers"), "tower", "tower.view"),
    MenuItem("inspections.index", N_("Inspections"), "inspection", "inspection.view"),
    MenuItem("inspections.assignments", N_("My assignments"), "assignment", "assignment.take"),
    MenuItem("inspections.follow_up", N_("Follow-up"), "follow-up", "violation.view"),
    MenuItem("field.app", N_("Field app"), "phone", "inspection.create", "work"),
    MenuItem("inspections.violations", N_("Violations"), "violation", "violation.view", "work"),
    MenuItem(
        "notices.index",
        N_("Notices"),
        "notice",
        "notice.view",
        "work",
        waiting=inspections.services.notices.drafts_waiting,
    ),
    MenuItem(
        "towers.proposal_list",
        N_("Proposals"),
        "proposal",
        "proposal.view",
        "work",
        waiting=towers.queries.proposals.open_number,
    ),
    MenuItem("inspections.campaigns", N_("Campaigns"), "assignment", "campaign.view", "work"),
    MenuItem(
        "inspections.assessment_list",
        N_("Load-safety assessments"),
        "file",
        "assessment.view",
        "work",
    ),
    MenuItem("inspections.statistics", N_("Statistics"), "statistics", "statistics.view", "work"),
    MenuItem(
        "inspections.field_review",
        N_("From the field"),
        "phone",
        "review_item.view",
        "work",
        waiting=inspections.queries.field_review.open_number,
    ),
    MenuItem("inspections.outbox", N_("Outbox"), "mail", "reminder.view", "work"),
    MenuItem(
        "notices.own_violations",
        N_("To be fixed"),
        "violation",
        "own_violation.view",
        waiting=inspections.queries.own_notices.open_number,
    ),
    MenuItem("notices.own", N_("Notices to us"), "notice", "own_notice.view"),
    MenuItem("accounts.users", N_("Users"), "users", "user.view", "admin"),
    MenuItem(
        "accounts.organisations", N_("Organisations"), "organisation", "organisation.view", "admin"
    ),
    MenuItem("accounts.audit", N_("Audit"), "clock", "audit.view", "admin"),
    MenuItem("areas.index", N_("Areas"), "area", "area.view", "admin"),
    MenuItem(
        "inspections.checklist_index", N_("Checklist"), "checklist", "checklist.view", "admin"
    ),
)
# What the folds of the menu are called: their section, its text and icon.
MENU_FOLDS = (
    ("work", N_("Work"), "follow-up"),
    ("admin", N_("Administration"), "settings"),
)

LABELS = {
    **labels.VOCABULARIES,
    **accounts.labels.VOCABULARIES,
    **areas.labels.VOCABULARIES,
    **towers.labels.VOCABULARIES,
    **towers.fields.VOCABULARIES,
    **towers.parts.VOCABULARIES,
    **inspections.labels.VOCABULARIES,
}

PANELS = {
    "topbar": (*towers.browsing.TOPBAR_PANELS,),
    "tower": (*inspections.panels.TOWER_PANELS, *towers.panels.TOWER_PANELS),
    "organisation": (
        *inspections.panels.ORGANISATION_PANELS,
        *towers.panels.ORGANISATION_PANELS,
    ),
    "tower_map": (*maps.pages.TOWER_MAP_PANELS,),
    "area": (*towers.panels.AREA_PANELS,),
    "area_map": (*maps.pages.AREA_MAP_PANELS,),
    "dashboard": (*inspections.panels.DASHBOARD_PANELS, *towers.pages.parts.DASHBOARD_PANELS),
}
# What timelines tell; of one moment in this order.
EVENTS = {
    "tower": (towers.pages.tower.TOWER_EVENTS, *inspections.timeline_sources.TOWER_EVENTS),
    "violation": (*inspections.timeline_sources.VIOLATION_EVENTS,),
    "organisation": (
        *accounts.organisations.ORGANISATION_EVENTS,
        *inspections.timeline_sources.ORGANISATION_EVENTS,
        towers.panels.ORGANISATION_EVENTS,
    ),
    "area": (
        *areas.pages.AREA_EVENTS,
        *inspections.timeline_sources.AREA_EVENTS,
        towers.panels.AREA_EVENTS,
    ),
}

COLUMNS = {"organisations": (*towers.panels.ORGANISATION_COLUMNS,)}


# What the worker runs, by the names that `core.jobs.enqueue` takes.
JOBS: dict[str, jobs.Body] = {
    **towers.import_jobs.JOBS,
    **inspections.back_test_jobs.JOBS,
    **inspections.campaign_jobs.JOBS,
    **towers.export_jobs.JOBS,
    **inspections.reminder_jobs.JOBS,
    **inspections.field_jobs.JOBS,
    **maps.grid_jobs.JOBS,
    **accounts.link_jobs.JOBS,
    **seal_jobs.JOBS,
    **retention.JOBS,
}
# What the worker runs by the clock, in the zone of the server.
PERIODIC = {
    core_exports.CLEAR_JOB: "17 * * * *",
    inspections.reminder_jobs.JOB: "*/5 * * * *",
    inspections.field_jobs.JOB: "41 * * * *",
    maps.grid_jobs.JOB: "* * * * *",
    seal_jobs.JOB: "* * * * *",
    retention.JOB: "23 19 * * *",
}
# The tables whose `sha256` names files, by the folder of the instance in which these lie.
BACKED_UP = {
    "photos": ("photo", "signature"),
    "documents": ("document",),
    "notices": ("notice_document", "notice_reply_file", "notice_template"),
}
# What is removed when its time is over.
REMOVALS = (
    retention.Removal(
        "retention_token_days", "access_token", accounts.services.privacy.remove_ended_tokens
    ),
    retention.Removal(
        "retention_token_days", "account_link", accounts.services.privacy.remove_ended_links
    ),
    retention.Removal(
        "retention_session_days", "user_session", accounts.services.privacy.remove_ended_sessions
    ),
    retention.Removal("retention_export_days", "export", core_exports.forget),
    retention.Removal(
        "retention_message_days", "reminder", inspections.services.outbox.forget_addresses
    ),
)
# What the things in the audit are called, by their kind.
AUDIT_NAMINGS = {
    kind: accounts.audit_doors.by_column(key, name)
    for kind, key, name in (
        ("tower", Tower.id, Tower.code),
        ("campaign", Campaign.id, Campaign.name),
        ("notice", Notice.id, Notice.reference),
        ("import", ImportBatch.id, ImportBatch.filename),
    )
}
# The lists that can be had as files, by the kind whose action `export` allows it.
EXPORTS: dict[str, towers.export_jobs.Taker] = {
    "tower": towers.downloads.taken_register,
    "violation": inspections.work.taken_follow_up,
}


def create_app(settings: Settings | None = None) -> Flask:
    """The service with these settings; they must name a database."""
    settings = (settings or Settings.from_environment()).with_secret()
    logs.configure(settings.log_format)
    app = Flask(__name__, static_folder=dist.FOLDER, static_url_path=dist.ROOT)
    app.config.update(
        SETTINGS=settings,
        TIMEZONE=settings.timezone,
        TESTING=settings.testing,
        # A document comes in a form: its other fields need a little room beside it.
        MAX_CONTENT_LENGTH=max(settings.max_upload_bytes, settings.max_document_bytes + 2**20),
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        MAX_FORM_PARTS=1000,
        TRAP_HTTP_EXCEPTIONS=False,
        JSON_AS_ASCII=False,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    if not settings.database_url:
        raise RuntimeError("no database: start with `make run` or set DATABASE_URL")
    # Said at the start, not when the first message should leave.
    mail.server_of(settings)
    db.init_app(app, db.make_engine(settings.database_url, settings))
    logs.init_app(app)
    i18n.init_app(app, settings.languages)
    compiled.init_app(app)
    app.jinja_env.globals["dist"] = dist.DIST
    problems.init_app(app)
    # A browser would ask other services of this machine's name over HTTPS, too, for a year.
    headers.init_app(app, strict_transport=settings.https and not settings.tls)
    # Pages come before sign-in: the first blueprint that has a template wins, and ours must.
    app.register_blueprint(core_pages.blueprint)
    for pages in (
        accounts.pages,
        areas.pages,
        towers.pages,
        towers.pages.reassigning,
        inspections.pages,
        inspections.notice_pages,
        inspections.field_pages,
        maps.pages,
        maps.figure_pages,
        maps.taking_pages,
        maps.history_pages,
        maps.tiles,
        maps.fall_zones,
        maps.base,
        maps.work_pages,
    ):
        app.register_blueprint(pages.blueprint)
    accounts.security.init_app(app, settings, kept_from=inspections.sync_api.KEPT_FROM_SHUT_OUT)
    accounts.openid_pages.init_app(app, settings)
    guard.init_app(
        app,
        find_actor=accounts.security.find_actor,
        endpoint_actions=accounts.security.ENDPOINT_ACTIONS,
        for_onlookers=accounts.security.FOR_ONLOOKERS,
    )
    accounts.audit_doors.init_app(app, AUDIT_NAMINGS)
    health.init_app(app)
    jobs.init_app(app, JOBS, PERIODIC)
    towers.export_jobs.init_app(app, EXPORTS)
    formats.init_app(app, LABELS)
    for feature in FEATURES:
        feature.policy.register()

    for followers in (accounts.services.organisations, towers.services.organisations):
        merging.follow("organisation", *followers.FOLLOWERS)
    merging.follow("organisation", *inspections.services.merge.ORGANISATION_FOLLOWERS)
    for towers_followers in (
        towers.services.merge,
        towers.imports.review,
        inspections.services.merge,
    ):
        merging.follow("tower", *towers_followers.FOLLOWERS)
    merging.follow("tower", afterwards=inspections.services.merge.derive_condition)
    towers.queries.know_campaigns(
        towers.queries.Campaigns(
            inspections.queries.campaigns.towers_of, inspections.queries.campaigns.name_of
        )
    )
    towers.services.after_retyping(inspections.services.condition.derive_again)
    for follower in (towers.moves, towers.former, accounts.territories):
        areas.services.following.after_change(follower.follow_areas)
    menu = slots.init_app(app)
    menu.menu.extend(MENU)
    menu.folds.extend(MENU_FOLDS)
    menu.panels.update({slot: list(panels) for slot, panels in PANELS.items()})
    menu.columns.update({slot: list(columns) for slot, columns in COLUMNS.items()})
    menu.events.update({slot: list(sources) for slot, sources in EVENTS.items()})

    service = api.init_app(app)
    for feature in FEATURES:
        for blueprint in feature.api.BLUEPRINTS:
            service.register_blueprint(blueprint)
    for more in (inspections.notice_api, inspections.field_api, inspections.sync_api):
        for blueprint in more.BLUEPRINTS:
            service.register_blueprint(blueprint)
    by_link = (*inspections.owner_pages.BY_LINK, *inspections.owner_api.BY_LINK)
    limits.limit(app, settings.link_limit, by_link)
    cli.init_app(app)
    seal_jobs.init_app(app)
    retention.init_app(app, REMOVALS)
    accounts.privacy_cli.init_app(app)
    backup_cli.init_app(app, BACKED_UP)
    for feature in FEATURES:
        feature.cli.init_app(app)
    maps.cli.init_app(app)
    metrics.init_app(app)
    logs.keep_links_secret(app)
    if count := settings.proxies:
        # Limits count by the address of whoever asks, not by that of the proxy.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    return app
