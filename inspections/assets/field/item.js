// One item of the checklist: its question, what may answer it, what the answer means, its photos.
import { live } from "lit-html/directives/live.js";
import { _ } from "core/texts";
import { dayOf } from "./drafts.js";
import { answerText, limitsOf, unitOf } from "./limits.js";
import { photosOfItem } from "./photos.js";
import { day, html, icon, inWords, nothing, number, severity, word } from "./show.js";

const REASONS = () => [_("No access"), _("Cannot be seen from here"), _("No instrument at hand"), _("Weather too bad")];

// What is left of an answer; null where nothing was given.
function tidy(given) {
  const parts = (values) => Object.fromEntries(Object.entries(values || {}).filter(([, value]) => value !== ""));
  const made = { ...given, inputs: parts(given.inputs), record_also: parts(given.record_also) };
  for (const name of ["inputs", "record_also"]) if (!Object.keys(made[name]).length) delete made[name];
  for (const name of ["value", "reason", "note"]) if (made[name] === "" || made[name] === undefined) delete made[name];
  const said = made.value !== undefined || made.inputs || made.record_also || made.note;
  if (made.outcome === "ok" && !said) return null;
  return made.outcome ? made : null;
}

// `form` has `visit`, `found`, `set(key, given)`, `problems(key)` and what photos need.
export function itemOf(form, item) {
  const { visit, found } = form;
  const key = item.key;
  const given = visit.answers[key] || {};
  const line = found.lines.get(key);
  const judgement = found.judgements[key];
  const put = (changes) => form.set(key, tidy({ outcome: "ok", ...given, ...changes }));
  const leftOut = given.outcome && given.outcome !== "ok";
  const head = html`<legend>${inWords(item)}</legend>
    <p class="sub">${word(item.how, "how")}${item.answer.prompt ? ` · ${inWords(item.answer.prompt)}` : ""}</p>`;
  if (!found.reached.has(key)) {
    return html`<fieldset class="item unreached" data-item=${key}>${head}<p class="mb-0"><strong>${_("Not examined at this visit")}</strong> <span class="sub">${item.how === "climb" ? _("Nobody climbs at this visit: say above how it is made.") : nothing}</span></p></fieldset>`;
  }
  const wrong = form.problems(key);
  const noted = Boolean(given.note) || form.noting(key);
  const earlier = line?.earlier_answer || visit.tower.last_answers?.[key];
  const classes = judgement?.severity ? `fails ${judgement.severity}` : leftOut ? "left-out" : judgement ? "answered" : "";
  return html`<fieldset class="item ${classes}" data-item=${key}>${head}
    ${line ? html`<p class="line mb-2">${severity(line.severity)}<span class="sub">${_("Deadline")}: ${day(line.deadline)}</span></p>${line.detail ? html`<p class="prewrap mb-2">${line.detail}</p>` : nothing}` : nothing}
    <div class="limits">${limitsOf(item, found.structure).map(([kind, text]) => html`<div class="limit ${kind}">${word(kind, "severity")}: ${text}</div>`)}</div>
    ${earlier ? html`<p class="before-value">${icon("clock")} ${_("Last time")}${visit.tower.last_inspected_on && !line ? ` (${day(visit.tower.last_inspected_on)})` : ""}: <strong>${answerText(item, earlier)}</strong></p>` : nothing}
    ${leftOut ? nothing : html`${answer(item, given, put, line)}${beside(item, given, put)}`}
    ${item.answer.derived && judgement?.outcome === "ok" ? html`<p class="computed">= ${number(judgement.value.toNumber(), item.answer.decimals || 0)} ${unitOf(item.answer)}</p>` : nothing}
    ${outcomeOf(item, given, form, leftOut, line)}
    ${judgement?.severity ? html`<p class="verdict ${judgement.severity}" role="status">${icon(`severity-${judgement.severity}`)} ${line
      ? _("Not fixed: %(severity)s", { severity: word(judgement.severity, "severity") })
      : _("Violation, %(severity)s: to be fixed by %(day)s", { severity: word(judgement.severity, "severity"), day: day(deadline(visit.draft, judgement)) })}</p>` : nothing}
    ${line && judgement?.outcome === "ok" && !judgement.severity ? html`<p class="verdict good">${icon("success")} ${word("fixed", "reinspection_outcome")}</p>` : nothing}
    ${wrong.map((text) => html`<p class="wrong">${text}</p>`)}
    ${photosOfItem(form, key, { needed: found.needsPhoto.has(key), earlier: line?.earlier_photos, more: noted ? nothing : html`<button type="button" class="btn btn-outline-primary" @click=${() => form.openNote(key)}>${icon("edit")} ${_("Note")}</button>` })}
    ${noted ? html`<label class="field note-field"><span class="form-label">${_("Note")}</span><textarea class="form-control" rows="2" .value=${live(given.note || "")} @input=${(event) => put({ note: event.target.value, outcome: given.outcome || "ok" })}></textarea></label>` : nothing}
  </fieldset>`;
}

function deadline(draft, judgement) {
  const last = new Date(`${dayOf(new Date(draft.started_at))}T12:00:00+07:00`);
  last.setDate(last.getDate() + judgement.remedy_days);
  return last;
}

const choice = (text, chosen, choose) => html`<button type="button" class="choice" aria-pressed=${chosen} @click=${choose}>${text}</button>`;

function answer(item, given, put, line) {
  const form = item.answer;
  if (form.type === "yes_no" || form.type === "enum") {
    const all = form.type === "yes_no" ? ["yes", "no"].map((key) => [key, word(key, "yes_no")]) : form.values.map((one) => [one.key, inWords(one)]);
    const meaning = (key) => (line && form.type === "yes_no" ? ` – ${word(key === form.pass_value ? "fixed" : "not_fixed", "reinspection_outcome")}` : "");
    // A second tap on a chosen answer takes it back.
    return html`<div class="choices ${form.type === "yes_no" ? "two" : ""}" role="group" aria-label=${inWords(item)}>${all.map(([key, text]) => choice(`${text}${meaning(key)}`, given.value === key, () => put({ value: given.value === key ? "" : key })))}</div>`;
  }
  if (form.derived) {
    return html`<div class="inputs">${form.derived.inputs.map((one) => field(`${word(one.key, "input")} (${inWords({ vi: one.unit, en: one.unit_en })})`, given.inputs?.[one.key], (value) => put({ inputs: { ...given.inputs, [one.key]: value } })))}</div>`;
  }
  if (form.type === "text") return html`<textarea class="form-control big" rows="2" aria-label=${inWords(item)} .value=${live(given.value || "")} @input=${(event) => put({ value: event.target.value })}></textarea>`;
  return html`<div class="measured"><input class="form-control big" inputmode=${form.type === "count" ? "numeric" : "decimal"} autocomplete="off" aria-label="${inWords(item)} ${unitOf(form)}" .value=${live(String(given.value ?? ""))} @input=${(event) => put({ value: event.target.value })}><span>${unitOf(form)}</span></div>`;
}

const field = (label, value, tell) => html`<label class="field"><span class="form-label">${label}</span><input class="form-control big" inputmode="decimal" autocomplete="off" .value=${live(String(value ?? ""))} @input=${(event) => tell(event.target.value)}></label>`;

// What is recorded beside the answer.
function beside(item, given, put) {
  const all = item.answer.record_also || [];
  if (!all.length) return nothing;
  return html`<div class="inputs">${all.map((one) => {
    const tell = (value) => put({ record_also: { ...given.record_also, [one.key]: value } });
    const value = given.record_also?.[one.key] ?? "";
    if (!one.one_of?.length) return field(`${word(one.key, "input")}${one.unit ? ` (${inWords({ vi: one.unit, en: one.unit_en })})` : ""}`, value, tell);
    return html`<label class="field"><span class="form-label">${word(one.key, "input")}</span><select class="form-select big" @change=${(event) => tell(event.target.value)}><option value="" ?selected=${!value}></option>${one.one_of.map((key) => html`<option value=${key} ?selected=${value === key}>${word(key, "input")}</option>`)}</select></label>`;
  })}</div>`;
}

// “Not checked” and “not applicable”, which need a reason.
function outcomeOf(item, given, form, leftOut, line) {
  const put = (changes) => form.set(item.key, changes && { ...(given.note ? { note: given.note } : {}), ...changes });
  const outcomes = line ? [["not_checked", word("cannot_verify", "reinspection_outcome")]] : ["not_checked", "not_applicable"].map((one) => [one, word(one, "outcome")]);
  return html`<div class="choices small" role="group" aria-label=${_("State")}>${outcomes.map(([key, text]) => choice(text, given.outcome === key, () => put(given.outcome === key ? null : { outcome: key, reason: given.reason || "" })))}</div>
    ${leftOut ? html`<label class="field"><span class="form-label">${_("Reason")}</span><input class="form-control big" autocomplete="off" .value=${live(given.reason || "")} @input=${(event) => put({ outcome: given.outcome, reason: event.target.value })}></label>
      ${given.reason ? nothing : html`<div class="choices small">${REASONS().map((text) => choice(text, false, () => put({ outcome: given.outcome, reason: text })))}</div>`}` : nothing}`;
}
