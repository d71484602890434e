"""Pages of the checklist: its versions, a draft's items, what it changes, publishing it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask import Response as FlaskResponse
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from core import clock, jobs
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid, NotFound, PreconditionFailed
from core.formats import number
from core.guard import current_actor
from core.i18n import current_language, translate
from core.i18n import gettext as _
from core.policy import allows, guard
from core.problems import field_texts
from core.words import N_
from inspections import checklist_files as files
from inspections.item_forms import SPARE, item_from, shown_level
from inspections.item_words import field_text, level_text, structures_text
from inspections.labels import VOCABULARIES
from inspections.models import BackTest, ChecklistVersion
from inspections.queries import back_tests as found_by
from inspections.queries import lists
from inspections.rules.catalogue import (
    ANSWER_TYPES,
    BASES,
    FUNCTIONS,
    HOW,
    OPERATORS,
    SEVERITIES,
    Catalogue,
)
from inspections.rules.documents import Differences, FieldChange, differences
from inspections.services import back_tests, checklists, drafts
from inspections.texts import item_texts


def checklist_routes(blueprint: Blueprint) -> None:
    """Add the pages of the checklist to the feature's blueprint."""
    blueprint.add_url_rule("/checklists", view_func=checklist_index)
    blueprint.add_url_rule("/checklists", view_func=begin_draft, methods=["POST"])
    here, draft = "/checklists/<int:number>", "/checklists/<int:draft>"
    blueprint.add_url_rule(here, view_func=checklist)
    for ending in files.MEDIA_TYPES:
        blueprint.add_url_rule(
            f"{here}.{ending}", view_func=checklist_file, defaults={"ending": ending}
        )
    blueprint.add_url_rule(f"{here}/changes", view_func=checklist_changes)
    blueprint.add_url_rule(f"{draft}/items/new", view_func=new_item)
    blueprint.add_url_rule(f"{draft}/items/new", view_func=add_item, methods=["POST"])
    blueprint.add_url_rule(f"{draft}/items/<key>/edit", view_func=edit_item)
    blueprint.add_url_rule(f"{draft}/items/<key>/edit", view_func=save_item, methods=["POST"])
    blueprint.add_url_rule(f"{draft}/back-test", view_func=back_test)
    blueprint.add_url_rule(f"{draft}/back-test/state.json", view_func=back_test_state)
    for name, view in (
        ("import", import_checklist),
        ("items/<key>/remove", remove_item),
        ("back-test", start_back_test),
        ("publish", publish_draft),
        ("discard", discard_draft_version),
    ):
        blueprint.add_url_rule(f"{draft}/{name}", view_func=view, methods=["POST"])


def the_version(number: int) -> ChecklistVersion:
    found = lists.checklist_version(current_session(), number)
    if found is None:
        raise NotFound(N_("There is no version %(version)s of the checklist"), version=number)
    return found


@contextmanager
def held_draft(number: int) -> Iterator[tuple[Session, ChecklistVersion]]:
    """The draft that a form was made from, held in a transaction; raises where it changed since."""
    the_version(number)
    with transaction() as session:
        draft = drafts.held(session, number)
        if request.form.get("revision") != str(draft.revision):
            raise PreconditionFailed(N_("Somebody changed this draft in the meantime"))
        yield session, draft


@guard("checklist.view")
def checklist_index() -> str:
    session = current_session()
    page = lists.checklist_versions(session, cursor=request.args.get("cursor"))
    standing = {one.status: one for one in page.rows}
    return render_template(
        "inspections/checklists/index.html",
        page=page,
        numbers={one.id: len(checklists.catalogue_of(session, one).items) for one in page.rows},
        published=standing.get("published"),
        draft=standing.get("draft"),
    )


@guard("checklist.edit")
def begin_draft() -> Response | tuple[str, int]:
    given = request.form.get("based_on", "")
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise Invalid(fields={"based_on": [N_("This is missing.")]})
    with transaction() as session:
        draft, new = drafts.begin(session, int(given), by=current_actor(), now=clock.now())
    if new:
        flash(_("The draft is a copy of the version in force. Nobody is inspected by it yet."))
    return redirect(url_for("inspections.checklist", number=draft.version), 303)


@guard("checklist.view")
def checklist(number: int) -> str:
    return version_page(the_version(number))


def version_page(
    version: ChecklistVersion, errors: Mapping[str, Sequence[str]] | None = None
) -> str:
    """All items of a version by their groups; `errors` by the codes of items."""
    language = current_language()
    catalogue = checklists.catalogue_of(current_session(), version)
    everything = frozenset(key for key, one in catalogue.structure_types.items() if one.inspectable)
    groups = [
        (
            group,
            [
                {
                    "item": item,
                    "levels": [
                        (one.severity, level_text(one, item, catalogue, language))
                        for one in item.levels
                    ],
                    "structures": ""
                    if item.applies_to == everything
                    else structures_text(item.applies_to, catalogue, language),
                }
                for item in catalogue.items
                if item.group == group.key
            ],
        )
        for group in catalogue.groups
    ]
    return render_template(
        "inspections/checklists/version.html",
        version=version,
        catalogue=catalogue,
        groups=groups,
        errors=errors,
        editable=version.status == "draft" and allows(current_actor(), "checklist.edit"),
        endings=files.ENDINGS,
    )


@guard("checklist.view")
def checklist_file(number: int, ending: str) -> FlaskResponse:
    """A version as a file that can be read in again."""
    version = the_version(number)
    write = {"yaml": files.write_yaml, "xlsx": files.write_workbook}[ending]
    response = FlaskResponse(write(version.content), content_type=files.MEDIA_TYPES[ending])
    name = f"{version.catalogue}-{version.version}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@guard("checklist.edit")
def import_checklist(draft: int) -> Response | tuple[str, int]:
    """Put what a file says in place of the draft's content."""
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Invalid(N_("Choose a file"), fields={"file": [N_("Choose a file")]})
        with tempfile.TemporaryDirectory(prefix="thap-canh-") as folder:
            path = Path(folder) / "file"
            sent.save(path)
            document = files.read_file(path, sent.filename)
        with held_draft(draft) as (session, held):
            found = drafts.replace(session, held, document, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        texts = field_texts(error) or {"file": [error.text()]}
        return version_page(the_version(draft), texts), error.status
    if not found:
        flash(_("The file says the same as the draft: nothing was changed."), "info")
        return redirect(url_for("inspections.checklist", number=draft), 303)
    number = len(found.items)
    flash(ngettext("%(num)s item was changed.", "%(num)s items were changed.", number), "success")
    return redirect(url_for("inspections.checklist_changes", number=draft), 303)


@guard("checklist.edit")
def new_item(draft: int) -> str:
    return item_page(the_version(draft), "", {"group": request.args.get("group", "")})


@guard("checklist.edit")
def add_item(draft: int) -> Response | tuple[str, int]:
    return put_item(draft, request.form.get("key", "").strip(), new=True)


@guard("checklist.edit")
def edit_item(draft: int, key: str) -> str:
    version = the_version(draft)
    return item_page(version, key, item_of(version, key))


@guard("checklist.edit")
def save_item(draft: int, key: str) -> Response | tuple[str, int]:
    item_of(the_version(draft), key)
    return put_item(draft, key)


def item_of(version: ChecklistVersion, key: str) -> dict[str, Any]:
    found = next((one for one in version.content["items"] if one["key"] == key), None)
    if found is None:
        raise NotFound(N_("The checklist has no item %(key)s"), key=key)
    return dict(found)


def put_item(draft: int, key: str, *, new: bool = False) -> Response | tuple[str, int]:
    item = item_from(request.form)
    try:
        with held_draft(draft) as (session, held):
            if new and any(one["key"] == key for one in held.content["items"]):
                message = N_("The checklist has an item %(key)s already")
                raise Conflict(message, fields={"key": [(message, {"key": key})]}, key=key)
            drafts.put_item(session, held, key, item, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        texts = field_texts(error) or {"form": [error.text()]}
        page = item_page(the_version(draft), "" if new else key, {**item, "key": key}, texts)
        return page, error.status
    flash(_("The item was saved in the draft."), "success")
    return redirect(url_for("inspections.checklist", number=draft, _anchor=f"i-{key}"), 303)


def item_page(version: ChecklistVersion, key: str, item: dict[str, Any], errors: Any = None) -> str:
    """The form of an item; without a `key` it is new."""
    language = current_language()
    catalogue = checklists.catalogue_of(current_session(), version)
    answer = item.get("answer") or {}
    derived = answer.get("derived") or {}

    def spare(rows: Any) -> list[Any]:
        return [*(rows or []), *({} for _number in range(SPARE))]

    return render_template(
        "inspections/checklists/item.html",
        version=version,
        key=key,
        item=item,
        answer=answer,
        derived=derived,
        errors=errors,
        inputs=[*(derived.get("inputs") or []), *({} for _number in range(2))][:2],
        choices=spare(answer.get("values")),
        record_also=spare(answer.get("record_also")),
        levels=[shown_level(one) for one in spare(item.get("levels"))],
        groups=[(one.key, one.label.in_language(language)) for one in catalogue.groups],
        types=[
            (one_key, one.label.in_language(language))
            for one_key, one in catalogue.structure_types.items()
            if one.inspectable
        ],
        derived_items=[
            (one.key, one.text(language))
            for one in catalogue.items
            if one.answer.derived and one.key != key
        ],
        answer_types=ANSWER_TYPES,
        severities=SEVERITIES,
        operators=OPERATORS,
        functions=FUNCTIONS,
        hows=HOW,
        bases=BASES,
        words=VOCABULARIES["input"],
    )


@guard("checklist.edit")
def remove_item(draft: int, key: str) -> Response | tuple[str, int]:
    try:
        with held_draft(draft) as (session, held):
            drafts.remove_item(session, held, key, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        texts = field_texts(error) or {"form": [error.text()]}
        return version_page(the_version(draft), texts), error.status
    flash(_("The item was taken out of the draft. What was answered to it stays."), "info")
    return redirect(url_for("inspections.checklist", number=draft), 303)


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
        text=_("%(done)s of %(total)s answers", done=number(done, 0), total=number(total or 0, 0)),
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
