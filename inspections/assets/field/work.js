// What is to be done: by day, by distance, or as a way round for today.
import { _ } from "core/texts";
import { unfinished, discard } from "./drafts.js";
import { here, locate } from "./position.js";
import { distance } from "./position.js";
import { ordered } from "./route.js";
import { fact } from "./store.js";
import { condition, day, empty, html, icon, metres, moment, nothing, number, way, word } from "./show.js";

const KINDS = {
  routine: () => _("Inspection"), campaign: () => _("Campaign"), reinspection: () => _("Re-inspection"), returned: () => _("Returned"),
};
const begunAt = (draft) => _("Begun %(moment)s", { moment: moment(draft.started_at) });
const lengthOf = (list, length) => _("%(towers)s towers, %(distance)s as the crow flies", { towers: number(new Set(list.map((one) => one.tower)).size), distance: metres(length) });
const nothingAssigned = () => empty("success", _("Nothing is assigned to you"), html`<p>${_("Any tower can be inspected all the same: look for it under “Towers”.")}</p>`);
// So many towers are gone round in a day at most.
const MOST_A_DAY = 12;

export async function open({ db, draw, again }) {
  const [work, drafts, ready] = await Promise.all([fact(db, "work"), unfinished(db), fact(db, "territory_at")]);
  const tasks = work?.tasks || [];
  const rows = await db.towers.bulkGet(tasks.map((one) => one.tower));
  const towers = new Map(rows.filter(Boolean).map((one) => [one.code, { ...one, latitude: one.lat, longitude: one.lon }]));
  let order = sessionStorage.getItem("field-order") || "due";
  let left = true;
  locate().then(() => { if (left) draw(); });

  const sorted = () => {
    const from = here();
    const far = (task) => { const to = towers.get(task.tower); return from && to && to.latitude !== null ? distance(from, to) : Infinity; };
    const due = (one, other) => (one.due_on || "9").localeCompare(other.due_on || "9");
    if (order === "near") return { list: [...tasks].sort((a, b) => far(a) - far(b) || due(a, b)) };
    if (order === "route" && from) {
      const soon = [...tasks].sort(due).filter((task) => far(task) < Infinity);
      const places = [...new Map(soon.map((task) => [task.tower, towers.get(task.tower)])).values()].slice(0, MOST_A_DAY);
      const found = ordered(from, places);
      return { list: found.way.flatMap((tower) => tasks.filter((task) => task.tower === tower.code)), metres: found.metres };
    }
    return { list: [...tasks].sort(due) };
  };

  const choose = (value) => { order = value; sessionStorage.setItem("field-order", value); draw(); };
  const give = async (draft) => {
    if (!window.confirm(_("Discard this check of %(tower)s? Its answers and photos are deleted.", { tower: draft.tower }))) return;
    await discard(db, draft.id);
    await again();
  };

  return {
    title: _("My work"),
    leave: () => { left = false; },
    body: () => {
      const { list, metres: length } = sorted();
      return html`
      ${drafts.length ? html`<section class="block"><h2>${_("Unfinished on this phone")}</h2>${drafts.map((draft) => html`
        <div class="card-row resume"><div><strong>${draft.tower}</strong> · ${word(draft.kind, "inspection_kind")}<div class="sub">${begunAt(draft)}${draft.refused ? html` · <span class="late">${_("sent back by the service")}</span>` : nothing}</div></div>
        <div class="acts"><a class="btn btn-primary" href="#/visit/${draft.id}">${_("Resume")}</a><button type="button" class="btn btn-outline-danger" @click=${() => give(draft)}>${_("Discard")}</button></div></div>`)}</section>` : nothing}
      ${ready ? nothing : html`<div class="block note">${icon("download")} ${_("Fetch the towers of your territory once, while there is a network: then everything works without one.")} <a class="btn btn-primary wide" href="#/phone">${_("Fetch for offline use")}</a></div>`}
      ${tasks.length ? html`
        <div class="segments" role="group" aria-label=${_("Order")}>${[["due", _("By day")], ["near", _("Nearest")], ["route", _("Way round")]].map(([key, text]) => html`
          <button type="button" aria-pressed=${order === key} @click=${() => choose(key)}>${text}</button>`)}</div>
        ${order !== "due" && !here() ? html`<p class="note">${icon("position")} ${_("The position is not known yet: allow it, or go outside.")}</p>` : nothing}
        ${length ? html`<p class="sub px-1">${lengthOf(list, length)}</p>` : nothing}
        <ol class="cards">${list.map((task, index) => card(task, towers.get(task.tower), order === "route" ? index + 1 : 0))}</ol>`
      : work ? nothingAssigned() : nothing}`;
    },
  };
}

const card = (task, tower, place) => html`<li><a class="task-card ${task.overdue ? "late-card" : ""}" href="#/tower/${encodeURIComponent(task.tower)}/${task.id}">
  <div class="line">${place ? html`<b class="place">${place}</b>` : nothing}<strong>${task.tower}</strong><span class="kind ${task.kind}">${KINDS[task.kind]?.() || task.kind}</span></div>
  ${tower ? html`<div>${tower.name}</div>` : nothing}
  <div class="line sub">${task.due_on ? html`<span class=${task.overdue ? "late" : ""}>${task.overdue ? icon("overdue") : icon("calendar")} ${day(task.due_on)}</span>` : nothing}${way(here(), tower)}</div>
  ${tower?.open?.length ? html`<div class="line">${condition(tower.condition)}<span class="sub">${_("Open violations: %(count)s", { count: number(tower.open.length) })}</span></div>` : nothing}
  ${task.kind === "returned" && task.reason ? html`<div class="reason">${task.reason}</div>` : nothing}
</a></li>`;
