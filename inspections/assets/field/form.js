// The checklist below the mast. Whatever is tapped or typed is on the disk at once.
import { guard } from "lit-html/directives/guard.js";
import { live } from "lit-html/directives/live.js";
import { _ } from "core/texts";
import { NEEDS_PHOTO, finish, judged, keepAnswer, keepVisit, whole } from "./drafts.js";
import { isAsked } from "./evaluate.js";
import { itemOf } from "./item.js";
import { keepFiles, photosOfItem } from "./photos.js";
import { follow, here } from "./position.js";
import { isFull } from "./store.js";
import { send } from "./sync.js";
import { empty, html, icon, inWords, metres, nothing, number, severity, translated, word } from "./show.js";
import { WORDS } from "./words.js";

const keeping = () => _("Keeping…");
const incomplete = (count) => _("Not answered: %(count)s. The inspection is sent as incomplete.", { count: number(count) });

export async function open({ db, draw, go }, id) {
  const visit = await whole(db, id);
  if (!visit || !visit.tower || !visit.checklist) return { title: _("Inspection"), back: "work", body: () => empty("inspection", _("This check is not on the phone any more")) };
  const ids = (visit.tower.open || []).flatMap((one) => one.earlier_photos || []);
  const pictures = new Map((await db.pictures.bulkGet(ids)).filter(Boolean).map((one) => [one.id, one.blob]));
  const { draft } = visit;
  let known = null;
  // What the answers come to, worked out when somebody looks.
  const found = () => { known ||= judged(visit); return known; };
  let trouble = "";
  let saving = 0;
  let saved = false;
  let finishing = false;
  const noting = new Set();
  const working = new Set();
  // Nobody is told what is missing before they have begun with it.
  const touched = new Set(Object.keys(visit.answers));

  const again = () => { known = null; draw(); };
  // Storing comes first, and drawing when it is done, or without it where the disk is slow: a cheap
  // phone does one thing at a time.
  const PATIENCE_MS = 120;
  let planned = 0;
  const soon = (delay = 0) => {
    window.clearTimeout(planned);
    planned = window.setTimeout(draw, delay);
  };
  const say = (text) => { trouble = text; draw(); };

  // Write, and tell when it is written; what cannot be written stays in sight.
  async function keep(write) {
    const begun = performance.now();
    saving += 1;
    try {
      await write;
      saved = true;
      document.documentElement.dataset.storedMs = (performance.now() - begun).toFixed(1);
      document.documentElement.dataset.stored = String(Number(document.documentElement.dataset.stored || 0) + 1);
    } catch (error) {
      saved = false;
      trouble = isFull(error) ? _("The phone's storage is full: what you see is not kept. Free some room, then change it once more.") : _("This could not be kept on the phone: %(reason)s", { reason: String(error.message || error) });
    } finally {
      saving -= 1;
      soon();
    }
  }

  const change = (changes) => { Object.assign(draft, changes); known = null; keep(keepVisit(db, id, changes)); soon(PATIENCE_MS); };
  const form = {
    visit, pictures, say,
    get found() { return found(); },
    problems: (key) => (finishing || touched.has(key) ? found().problems.filter((one) => one.item === key && one.message !== NEEDS_PHOTO).map((one) => translated(one.message, one.facts)) : []).concat(draft.refused?.fields?.[`answers.${key}`] || []),
    set(key, given) {
      touched.add(key);
      if (given) visit.answers[key] = given; else delete visit.answers[key];
      known = null;
      keep(keepAnswer(db, id, key, given));
      soon(PATIENCE_MS);
    },
    noting: (key) => noting.has(key),
    openNote(key) {
      noting.add(key);
      draw();
      document.querySelector(`[data-item="${key}"] .note-field textarea`).focus();
    },
    addPhotos(key, files, camera) {
      const work = keepFiles(db, visit, key, files, camera).then((said) => { trouble = said; again(); });
      working.add(work);
      work.finally(() => working.delete(work));
    },
    async keepPhoto(photo) {
      await keep(db.photos.add(photo).then(() => { visit.photos.push(photo); }));
      again();
    },
    async removePhoto(photo) {
      if (!window.confirm(_("Remove this photo?"))) return;
      await db.photos.delete(photo.id);
      visit.photos.splice(visit.photos.indexOf(photo), 1);
      again();
    },
  };

  // The best place of this visit: the first one, and any that is more exact.
  const place = (now, force = false) => {
    if (!now) return;
    const better = !draft.position || now.accuracy_m < draft.position.accuracy_m;
    if (force || better) change({ position: { latitude: now.latitude, longitude: now.longitude, accuracy_m: now.accuracy_m } });
  };
  const stop = follow(place);
  if (here() && Date.now() - here().at < 60_000) place(here());

  const queue = async () => {
    // A photo that is just being made small goes along.
    await Promise.all(working);
    const fresh = { ...visit, photos: await db.photos.where({ visit: id }).toArray() };
    if (judged(fresh).problems.length) { finishing = true; again(); return; }
    await finish(db, fresh, judged(fresh));
    go("sending");
    send({ atOnce: true }).catch((error) => { console.error(error); });
  };

  const toEnd = () => { finishing = true; again(); document.querySelector(".end-sheet").focus(); };
  const jump = (key) => { finishing = false; draw(); document.querySelector(`[data-item="${key}"], [data-part="${key}"]`)?.scrollIntoView({ block: "center" }); };
  const itemText = (key) => inWords(found().items.find((one) => one.key === key)) || key;

  return {
    title: draft.tower,
    back: "work",
    alone: true,
    leave: () => { stop(); window.clearTimeout(planned); },
    chip: () => html`<span class="chip" role="status">${saving ? keeping() : saved ? html`${icon("success")} ${_("Kept")}` : nothing}</span>`,
    body: () => (draft.queued ? html`<p class="note">${icon("sync")} ${_("This check waits to be sent and can no longer be changed.")} <a href="#/sending">${_("Sending")}</a></p>` : html`
      ${trouble ? html`<div class="strip warn" role="alert">${trouble} <button type="button" class="btn btn-sm btn-light" @click=${() => say("")}>${_("Close")}</button></div>` : nothing}
      ${draft.reason ? html`<section class="block returned"><h2>${_("Returned")}</h2><p class="reason mb-0">${draft.reason}</p></section>` : nothing}
      ${draft.refused ? html`<section class="block returned"><h2>${_("The service did not take it")}</h2><p class="mb-0">${draft.refused.title}</p>${Object.entries(draft.refused.fields || {}).filter(([name]) => !name.startsWith("answers.")).map(([, texts]) => html`<p class="wrong mb-0">${[].concat(texts).join(" ")}</p>`)}</section>` : nothing}
      ${visitPart(visit, found(), change, place)}
      ${checklist(form, found(), jump)}
      ${endPart(form, change)}
      ${finishing ? endSheet() : nothing}`),
    footer: () => (draft.queued ? nothing : html`<div class="finish"><div class="progress-note"><strong>${number(found().answered.length)}/${number(found().asked.length)}</strong> ${_("answered")}<br>${icon("camera")} ${number(visit.photos.length)}</div>
      <button type="button" class="btn btn-primary" @click=${toEnd}>${_("Finish")}</button></div>`),
  };

  function endSheet() {
    const open = found().asked.length - found().answered.length;
    const failing = Object.entries(found().judgements).filter(([, one]) => one.severity);
    return html`<div class="sheet-behind" @click=${() => { finishing = false; again(); }}></div><section class="end-sheet" role="dialog" tabindex="-1" aria-modal="true" aria-label=${_("Finish")}>
      ${found().problems.length ? html`<h2>${_("Before it can be sent")}</h2><p class="sub">${_("Everything is kept. These are still to be put right:")}</p>
        <ul class="plain-list">${found().problems.map((one) => html`<li><button type="button" class="link" @click=${() => jump(one.item || "visit")}>${one.item ? html`<strong>${itemText(one.item)}</strong><br>` : nothing}${translated(one.message, one.facts)}</button></li>`)}</ul>`
      : html`<h2>${_("Ready to be sent")}</h2>
        <p>${_("Answers: %(answers)s · photos: %(photos)s", { answers: number(found().answered.length), photos: number(visit.photos.length) })}</p>
        ${failing.length ? html`<ul class="plain-list">${failing.map(([key, one]) => html`<li>${severity(one.severity)} ${itemText(key)}</li>`)}</ul>` : html`<p>${_("No violation was found.")}</p>`}
        ${open && draft.kind !== "reinspection" ? html`<p class="note">${icon("warning")} ${incomplete(open)}</p>` : nothing}`}
      <div class="acts">${found().problems.length ? nothing : html`<button type="button" class="btn btn-primary" @click=${queue}>${icon("upload")} ${_("Send")}</button>`}<button type="button" class="btn btn-outline-primary" @click=${() => { finishing = false; again(); }}>${_("Go on filling in")}</button></div></section>`;
  }
}

const text = (label, name, draft, change, rows = 0) => html`<label class="field"><span class="form-label">${label}</span>${rows
  ? html`<textarea class="form-control" rows=${rows} .value=${live(draft[name] || "")} @input=${(event) => change({ [name]: event.target.value })}></textarea>`
  : html`<input class="form-control big" autocomplete="off" .value=${live(draft[name] || "")} @input=${(event) => change({ [name]: event.target.value })}>`}</label>`;

const chooser = (label, vocabulary, name, draft, change) => html`<div class="field" role="group" aria-label=${label}><span class="form-label">${label}</span><div class="choices small">${Object.keys(WORDS[vocabulary]).map((one) => html`
  <button type="button" class="choice" aria-pressed=${draft[name] === one} @click=${() => change({ [name]: draft[name] === one ? null : one })}>${word(one, vocabulary)}</button>`)}</div></div>`;

function visitPart({ draft }, found, change, place) {
  const { position } = draft;
  const toggle = (one) => change({ methods: draft.methods.includes(one) ? draft.methods.filter((other) => other !== one) : [...draft.methods, one] });
  return html`<section class="block" data-part="visit">
    <p class="line mb-2"><strong>${word(draft.kind, "inspection_kind")}</strong><span class="sub">${word(draft.structure_type, "structure_type")}</span></p>
    <div class="place-line ${found.far ? "far" : ""}">${icon("position")}<div>${position
      ? html`${found.metres === null ? `${position.latitude.toFixed(5)}, ${position.longitude.toFixed(5)}` : html`<strong>${metres(found.metres)}</strong> ${_("from the tower")}`} <span class="sub nowrap">± ${number(position.accuracy_m)} m</span>`
      : html`${_("Looking for the position…")}`}</div><button type="button" class="btn btn-outline-primary" @click=${() => place(here(), true)} ?disabled=${!here()}>${_("Here")}</button></div>
    ${found.far ? html`<p class="wrong mb-1">${_("You are far from the tower.")}</p>${text(_("Why so far away?"), "far_reason", draft, change)}` : nothing}
    <div class="field" role="group" aria-label=${_("How the visit is made")}><span class="form-label">${_("How the visit is made")}</span><div class="choices small two">${Object.keys(WORDS.how).map((one) => html`
      <button type="button" class="choice" aria-pressed=${draft.methods.includes(one)} @click=${() => toggle(one)}>${word(one, "how")}</button>`)}</div></div>
    <details class="more"><summary>${_("Weather, people, date")}</summary>
      ${chooser(_("Weather"), "weather", "weather", draft, change)}
      ${text(_("Owner's representative (name, position)"), "representative", draft, change)}
      ${text(_("Inspection team"), "team", draft, change, 2)}
      <label class="field"><span class="form-label">${_("Date of the inspection")}</span><input class="form-control big" type="date" .value=${draft.inspected_on} @change=${(event) => { if (event.target.value) change({ inspected_on: event.target.value }); }}></label>
    </details></section>`;
}

// An item is only drawn again when something about it is another: there are forty of them.
function guarded(form, found, item) {
  const { key } = item;
  const judgement = found.judgements[key];
  const photos = form.visit.photos.filter((one) => one.item === key).map((one) => one.id);
  return guard([
    form.visit.answers[key], judgement?.outcome, judgement?.severity, judgement?.remedy_days, String(judgement?.value), found.reached.has(key),
    found.needsPhoto.has(key), form.noting(key), form.problems(key).join(), photos.join(),
  ], () => itemOf(form, item));
}

function checklist(form, found, jump) {
  const { visit } = form;
  const { draft, answers } = visit;
  const shown = found.items.filter((item) => isAsked(item, answers) || answers[item.key]);
  const again = draft.kind === "reinspection";
  const parts = visit.checklist.content.groups
    .map((group) => [group, shown.filter((item) => item.group === group.key && !(again && found.lines.has(item.key)))])
    .filter(([, items]) => items.length);
  const done = (items) => items.filter((item) => found.sent[item.key]).length;
  const reached = (items) => items.filter((item) => found.reached.has(item.key)).length;
  const groups = html`<nav class="parts" aria-label=${_("Parts of the checklist")}>${parts.map(([group, items]) => html`
      <button type="button" class=${reached(items) && done(items) === reached(items) ? "done" : ""} @click=${() => jump(`group-${group.key}`)}>${inWords(group)} <span>${done(items)}/${reached(items)}</span></button>`)}</nav>
    ${parts.map(([group, items]) => html`<section><h2 class="group-title" data-part="group-${group.key}">${inWords(group)}</h2>${items.map((item) => guarded(form, found, item))}</section>`)}`;
  if (!again) return groups;
  return html`<section><h2 class="group-title">${_("Open violations")}</h2><p class="sub px-1">${_("Each must be answered: fixed, not fixed, or cannot be verified. A measurement is judged as in the first inspection.")}</p>
    ${found.items.filter((item) => found.lines.has(item.key)).map((item) => guarded(form, found, item))}</section>
    <details class="block"><summary><strong>${_("Something else was found")}</strong> <span class="sub">${_("What fails here becomes a new violation.")}</span></summary>${groups}</details>`;
}

function endPart(form, change) {
  const { draft } = form.visit;
  return html`<section class="block"><h2>${_("The whole visit")}</h2>
    ${chooser(_("Verdict of the inspector"), "verdict", "verdict", draft, change)}
    ${text(_("Note on the whole visit"), "note", draft, change, 3)}
    <div class="field"><button type="button" class="choice" aria-pressed=${Boolean(draft.assessment_requested)} @click=${() => change({ assessment_requested: !draft.assessment_requested })}>${_("A load-safety assessment is needed")}</button></div>
    ${draft.assessment_requested ? text(_("Why is it needed?"), "assessment_reason", draft, change, 2) : nothing}
    <span class="form-label">${_("Further photos")}</span>${photosOfItem(form, null)}
  </section>`;
}
