// One tower: what is known of it, and what can be begun here.
import { _ } from "core/texts";
import { begin, unfinished } from "./drafts.js";
import { here, locate } from "./position.js";
import { fact } from "./store.js";
import { addressOf, condition, day, empty, html, icon, inWords, nothing, number, severity, way, word } from "./show.js";
import { WORDS } from "./words.js";

const KINDS = ["periodic", "campaign", "complaint", "after_storm"];
const TYPES = Object.keys(WORDS.structure_type).filter((one) => one !== "unknown");

export async function open({ db, draw, go }, code, taskId) {
  const [tower, work, drafts, queued] = await Promise.all([db.towers.get(code), fact(db, "work"), unfinished(db), db.queue.filter((row) => row.tower === code).toArray()]);
  if (!tower) return { title: code, back: "work", body: () => empty("tower", _("This tower is not on the phone"), html`<p>${_("Fetch your territory again while there is a network.")}</p>`) };
  const place = { latitude: tower.lat, longitude: tower.lon };
  const tasks = (work?.tasks || []).filter((one) => one.tower === code);
  const returned = tasks.find((one) => one.kind === "returned" && (!taskId || one.id === taskId)) || tasks.find((one) => one.kind === "returned");
  const checklist = await db.checklists.get(Math.max(...(work?.checklist_versions || [0])));
  const texts = new Map([...(checklist?.content.items || []), ...(checklist?.beside || [])].map((item) => [item.key, inWords(item)]));
  const pictures = new Map((await db.pictures.bulkGet((tower.open || []).flatMap((one) => one.earlier_photos || []))).filter(Boolean).map((one) => [one.id, one.blob]));
  const own = drafts.filter((one) => one.tower === code);
  const task = tasks.find((one) => one.id === taskId && one.kind !== "returned");
  let kind = KINDS.includes(task?.inspection_kind) ? task.inspection_kind : "periodic";
  let type = "";
  let wrong = "";
  let left = true;
  locate().then(() => { if (left) draw(); });

  const start = async (what, using = null) => {
    if (!checklist) { wrong = _("The checklist is not on this phone yet: fetch your territory while there is a network."); draw(); return; }
    if (tower.structure_type === "unknown" && !type && what !== "returned") { wrong = _("Determine the structure type first"); draw(); return; }
    const known = using?.kind === "returned" ? await db.drafts.get(using.inspection_id) : null;
    if (known) { if (!known.queued) go(`visit/${known.id}`); else { wrong = _("What you sent of it is still on its way: wait until it is safe."); draw(); } return; }
    const draft = await begin(db, tower, { kind: what, task: using, type });
    go(`visit/${draft.id}`);
  };

  return {
    title: code,
    back: taskId ? "work" : "towers",
    leave: () => { left = false; },
    body: () => html`
      <section class="block">
        <h2>${tower.name}</h2>
        <p class="line mb-1">${condition(tower.condition)} ${way(here(), place)}</p>
        <p class="sub mb-0">${word(tower.structure_type, "structure_type")}${tower.height_m ? ` · ${number(tower.height_m, 1)} m` : ""}${tower.commune ? ` · ${tower.commune}` : ""}</p>
      </section>
      ${own.map((draft) => html`<div class="block resume card-row"><div><strong>${_("Unfinished on this phone")}</strong><div class="sub">${word(draft.kind, "inspection_kind")}</div></div><a class="btn btn-primary" href="#/visit/${draft.id}">${_("Resume")}</a></div>`)}
      ${queued.map(() => html`<p class="note">${icon("sync")} ${_("A check of this tower waits to be sent.")} <a href="#/sending">${_("Sending")}</a></p>`)}
      ${returned ? html`<section class="block returned"><h2>${_("Returned to you")}</h2><p class="reason">${returned.reason}</p>
        <button type="button" class="btn btn-primary wide" @click=${() => start("returned", returned)}>${_("Correct it")}</button></section>` : nothing}
      ${tower.open?.length ? html`<section class="block"><h2>${_("Open violations")}</h2>
        <ul class="plain-list">${tower.open.map((one) => html`<li>${severity(one.severity)} <strong>${texts.get(one.item) || one.item}</strong>
          ${one.detail ? html`<div class="prewrap">${one.detail}</div>` : nothing}
          <div class="sub">${_("Deadline")}: ${day(one.deadline)}</div>
          <div class="thumbs">${(one.earlier_photos || []).filter((id) => pictures.has(id)).map((id) => html`<img src=${addressOf(pictures.get(id))} alt=${_("Earlier photo")}>`)}</div></li>`)}</ul>
        <button type="button" class="btn btn-primary wide" @click=${() => start("reinspection", tasks.find((one) => one.kind === "reinspection"))}>${_("Re-inspect these")}</button></section>` : nothing}
      <section class="block"><h2>${_("New inspection")}</h2>
        ${tower.structure_type === "unknown" ? html`<label class="form-label" for="type">${_("Structure type")}</label><select class="form-select big mb-2" id="type" @change=${(event) => { type = event.target.value; wrong = ""; draw(); }}><option value="">${_("Choose…")}</option>${TYPES.map((one) => html`<option value=${one}>${word(one, "structure_type")}</option>`)}</select>` : nothing}
        <div class="choices two mb-2" role="group" aria-label=${_("Kind")}>${KINDS.map((one) => html`<button type="button" class="choice" aria-pressed=${kind === one} @click=${() => { kind = one; draw(); }}>${word(one, "inspection_kind")}</button>`)}</div>
        ${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : nothing}
        <button type="button" class="btn ${tower.open?.length || returned ? "btn-outline-primary" : "btn-primary"} wide" @click=${() => start(kind, task)}>${icon("inspection")} ${_("Start the inspection")}</button></section>`,
  };
}
