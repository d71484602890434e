"""Pages of what a version of the checklist changes: field by field, back-tested, published."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask import Response as FlaskResponse
from werkzeug.wrappers import Response

from core import clock, jobs
from core.db import current_session
from core.errors import DomainError, NotFound
from core.formats import number
from core.guard import current_actor
from core.i18n import current_language, translate
from core.i18n import gettext as _
from core.policy import allows, guard
from core.words import N_
from inspections import checklist_files as files
from inspections.checklist_doors import held_draft, the_version
from inspections.item_words import field_text, level_text
from inspections.labels import VOCABULARIES
from inspections.models import BackTest, ChecklistVersion
from inspections.queries import back_tests as found_by
from inspections.queries import lists
from inspections.rules.catalogue import (
    Catalogue,
)
from inspections.rules.documents import Differences, FieldChange, Move, differences
from inspections.services import back_tests, checklists, drafts
from inspections.texts import item_texts


def checklist_change_routes(blueprint: Blueprint) -> None:
    """Add the pages of what a version changes to the feature's blueprint."""
    draft = "/checklists/<int:draft>"
    blueprint.add_url_rule("/checklists/<int:number>/changes", view_func=checklist_changes)
    blueprint.add_url_rule(f"{draft}/back-test", view_func=back_test)
    blueprint.add_url_rule(f"{draft}/back-test/state.json", view_func=back_test_state)
    for name, view in (
        ("back-test", start_back_test),
        ("publish", publish_draft),
        ("discard", discard_draft_version),
    ):
        blueprint.add_url_rule(f"{draft}/{name}", view_func=view, methods=["POST"])


@guard("checklist.view")
def checklist_changes(number: int) -> str:
    return changes_page(the_version(number))


def changes_page(version: ChecklistVersion, error: DomainError | None = None) -> str:
    """What a version changes; of a draft also its back-test, and how to publish it."""
    session, actor = current_session(), current_actor()
    before = lists.version_before(session, version)
    found = differences(before.content, version.content) if before else None
    editor = allows(actor, "checklist.edit")
    test = session.get(BackTest, version.id) if editor else None
    counts = found_by.by_commune(session, actor, version.id) if test else ()
    return render_template(
        "inspections/checklists/changes.html",
        version=version,
        before=before,
        changes=shown_changes(before, version, found) if before and found else (),
        found=found,
        moved=shown_moves(version, found) if found else (),
        beside=[
            (one.field, *(beside_text(one, side) for side in ("before", "after")))
            for one in (found.beside if found else ())
        ],
        error=error.text() if error else None,
        editable=version.status == "draft" and editor,
        test=test,
        fresh=test is not None
        and test.finished_at is not None
        and test.revision == version.revision,
        working=drafts.is_tested_now(session, version.id),
        totals={name: sum(getattr(one, name) for one in counts) for name in TOTALS},
        communes=len(counts),
    )


TOTALS = ("inspections", "more", "fewer", "other")


def beside_text(change: FieldChange, side: str) -> str:
    """Groups, severities and the like as they stand in the document."""
    value = getattr(change, side)
    if isinstance(value, str) or value is None:
        return value or ""
    return (
        files.write_yaml(value).decode()
        if isinstance(value, dict)
        else "\n".join(f"{one['key']}: {one['vi']} / {one['en']}" for one in value)
    )


def shown_moves(version: ChecklistVersion, found: Differences) -> list[tuple[str, str, Move]]:
    """The items that stand elsewhere, each with its group and its places in it."""
    catalogue, language = checklists.catalogue_of(current_session(), version), current_language()
    groups = {one.key: one.label.in_language(language) for one in catalogue.groups}
    shown = []
    for move in found.moved:
        item = catalogue.item(move.key)
        assert item is not None
        shown.append((groups[item.group], item.text(language), move))
    return shown


def shown_changes(
    before: ChecklistVersion, after: ChecklistVersion, found: Differences
) -> list[dict[str, Any]]:
    """The changed items with their fields as people read them, each side in its own version."""
    session, language = current_session(), current_language()
    sides: tuple[Catalogue, Catalogue] = (
        checklists.catalogue_of(session, before),
        checklists.catalogue_of(session, after),
    )
    shown = []
    for change in found.items:
        items = [catalogue.item(change.key) for catalogue in sides]
        last = items[1] or items[0]
        assert last is not None
        shown.append(
            {
                "key": change.key,
                "kind": change.kind,
                "text": last.text(language),
                "levels": [
                    (one.severity, level_text(one, last, sides[items[1] is not None], language))
                    for one in last.levels
                ],
                "fields": [
                    (
                        one.field,
                        *(
                            field_text(one.field, value, item, catalogue, language)
                            for value, item, catalogue in zip(
                                (one.before, one.after), items, sides, strict=True
                            )
                        ),
                    )
                    for one in change.fields
                ],
            }
        )
    return shown


@guard("checklist.edit")
def start_back_test(draft: int) -> Response | tuple[str, int]:
    try:
        with held_draft(draft) as (session, held):
            _test, done = back_tests.start(session, held, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        return changes_page(the_version(draft), error), error.status
    if done:
        flash(_("The back-test is done."), "success")
    return redirect(
        url_for("inspections.checklist_changes", number=draft, _anchor="back-test"), 303
    )


@guard("checklist.edit")
def back_test(draft: int) -> str:
    """What a back-test found, by commune and answer by answer."""
    session, actor = current_session(), current_actor()
    version = the_version(draft)
    test = session.get(BackTest, version.id)
    if test is None:
        raise NotFound(N_("This version was not back-tested"))
    commune, kind = request.args.get("commune", ""), request.args.get("kind", "")
    commune = commune.replace("\x00", "")[:20]
    return render_template(
        "inspections/checklists/back_test.html",
        version=version,
        test=test,
        counts=found_by.by_commune(session, actor, version.id),
        page=found_by.findings(
            session,
            actor,
            version.id,
            commune=commune,
            kind=kind,
            cursor=request.args.get("cursor"),
        ),
        commune=commune,
        kind=kind,
        kinds=list(VOCABULARIES["back_test_kind"]),
        items=item_texts(session, current_language()),
    )


@guard("checklist.edit")
def back_test_state(draft: int) -> FlaskResponse:
    """How far the job of a back-test has come."""
    session = current_session()
    version = the_version(draft)
    test = session.get(BackTest, version.id)
    progress = jobs.progress(session, test.job_id) if test and test.job_id else None
    done, total = (progress.done, progress.total) if progress else (0, None)
    return jsonify(
        working=drafts.is_tested_now(session, version.id),
        done=done,
        total=total,
        text=_("%(done)s of %(total)s answers", done=number(done, 0), total=number(total, 0))
        if total
        else "",
    )


@guard("checklist.publish")
def publish_draft(draft: int) -> Response | tuple[str, int]:
    try:
        with held_draft(draft) as (session, held):
            drafts.publish(session, held, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        return changes_page(the_version(draft), error), error.status
    flash(
        translate(
            N_("Version %(version)s is in force: new inspections are judged by it."), version=draft
        ),
        "success",
    )
    return redirect(url_for("inspections.checklist", number=draft), 303)


@guard("checklist.edit")
def discard_draft_version(draft: int) -> Response | tuple[str, int]:
    try:
        with held_draft(draft) as (session, held):
            drafts.discard(session, held, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        return changes_page(the_version(draft), error), error.status
    flash(_("The draft was discarded."), "info")
    return redirect(url_for("inspections.checklist_index"), 303)
