// What waits to be sent, why, and what is proved to be safe.
import { _ } from "core/texts";
import { takeBack } from "./drafts.js";
import { fact } from "./store.js";
import { queueFile } from "./export.js";
import { putBack } from "./proposal.js";
import { photosOf, send, stateOf } from "./sync.js";
import { bytes, empty, html, icon, inWords, moment, nothing, number, word } from "./show.js";

const STATES = {
  waiting: ["clock", () => _("Waiting to be sent")],
  offline: ["offline", () => _("Waiting for a network")],
  signed_out: ["key", () => _("Waiting until you sign in again")],
  failing: ["warning", () => _("The service is not ready: it is tried again by itself")],
  sending: ["upload", () => _("Received; its photos are on their way")],
  review: ["info", () => _("Kept for the department to decide; nothing of it is lost")],
  refused: ["danger", () => _("Not taken: correct it and send it again")],
};

const notSafe = (count) => _("Not safe yet: %(count)s", { count: number(count) });
const photosSay = (count) => _("Photos: %(count)s", { count: number(count) });
const arrived = (safe, count) => _("%(safe)s of %(count)s photos", { safe: number(safe), count: number(count) });
function allSafe(checks, photos) {
  if (checks < 2 || photos < 2) return _("Everything is safe");
  return _("All %(checks)s checks and %(photos)s photos are safe", { checks: number(checks), photos: number(photos) });
}

const WHAT = { proposal: () => _("Proposed tower") };
const whatOf = (row) => WHAT[row.what]?.() || word(row.what, "inspection_kind");

export async function open({ account, db, draw, go }) {
  let rows = [];
  let receipts = [];
  let clock = null;
  const days = (await fact(db, "work"))?.settings.keep_receipts_days || 30;
  let busy = false;
  const texts = new Map();

  const read = async () => {
    const found = await db.queue.toArray();
    rows = await Promise.all(found.sort((a, b) => a.made_at.localeCompare(b.made_at)).map(async (row) => ({ ...row, photos: await photosOf(db, row) })));
    receipts = (await db.receipts.orderBy("safe_at").reverse().toArray());
    clock = await fact(db, "clock");
    for (const row of rows.filter((one) => one.state === "refused")) {
      const checklist = await db.checklists.get(row.body.checklist_version || 0);
      for (const item of checklist?.content.items || []) texts.set(item.key, inWords(item));
    }
  };
  await read();

  const now = async () => {
    busy = true;
    draw();
    try {
      await send({ atOnce: true });
    } finally {
      busy = false;
      await read();
      draw();
    }
  };
  const correct = async (row) => {
    await takeBack(db, row.id);
    if (row.visit) { go(`visit/${row.visit}`); return; }
    await putBack(account, db, row);
    go("proposal");
  };
  const save = async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await queueFile(account, db));
    link.download = `thap-canh-${new Date().toISOString().slice(0, 10)}.json`;
    link.click();
  };

  const safePhotos = () => receipts.reduce((sum, one) => sum + one.photos, 0);
  const sum = () => (rows.length ? html`<section class="block sum"><h2>${notSafe(rows.length)}</h2><p class="sub mb-2">${_("All of it is kept on this phone until the service has confirmed it.")}</p>
      <button type="button" class="btn btn-primary wide" ?disabled=${busy} @click=${now}>${icon("sync")} ${busy ? _("Sending…") : _("Send now")}</button></section>`
    : receipts.length ? html`<section class="block sum safe">${icon("safe")}<h2>${allSafe(receipts.length, safePhotos())}</h2><p class="mb-0">${_("The service has confirmed each of them with a signed receipt.")}</p></section>`
      : empty("sync", _("Nothing waits to be sent")));

  return {
    title: _("Sending"),
    changed: read,
    body: () => html`${sum()}
      ${clock?.skewed ? html`<p class="note warn">${icon("clock")} ${_("The clock of this phone is wrong by %(minutes)s minutes. Set it by the network.", { minutes: number(Math.abs(Math.round(clock.offset_s / 60))) })}</p>` : nothing}
      <ul class="cards">${rows.map((row) => item(row, account, texts, correct))}</ul>
      ${rows.length ? html`<details class="block"><summary>${_("This phone cannot send?")}</summary><p class="sub mt-2">${_("Save everything that waits into a file and bring it to the department: they read it in.")}</p><button type="button" class="btn btn-outline-primary wide" @click=${save}>${icon("download")} ${_("Save into a file")}</button></details>` : nothing}
      ${receipts.length ? html`<details class="block" ?open=${!rows.length}><summary><strong>${_("Safe")}</strong> <span class="sub">${_("Receipts are kept for %(days)s days.", { days: number(days) })}</span></summary>
        <ul class="plain-list">${receipts.map((one) => html`<li class="receipt">${icon("success")} <strong>${one.tower}</strong> · ${whatOf(one)}${one.version > 1 ? ` · ${_("corrected")}` : ""}<div class="sub">${one.photos ? `${photosSay(one.photos)} · ` : ""}${moment(one.receipt.received_at || one.safe_at)}${one.verdict === "review" || one.verdict === "quarantined" ? ` · ${_("kept for the department to decide")}` : ""}</div><div class="sub code">${(one.receipt.signature || "").slice(0, 16)}</div></li>`)}</ul></details>` : nothing}`,
  };
}

function item(row, account, texts, correct) {
  const state = stateOf(row, account);
  const [sign, text] = STATES[state] || STATES.waiting;
  const safe = row.photos.filter((one) => one.state === "safe").length;
  const sent = row.photos.reduce((sum, one) => sum + (one.state === "safe" ? one.byte_size : one.offset || 0), 0);
  const size = row.photos.reduce((sum, one) => sum + one.byte_size, 0);
  return html`<li class="task-card ${state}"><div class="line"><strong>${row.tower || _("New tower")}</strong><span class="kind">${whatOf(row)}</span></div>
    <div class="line sub">${moment(row.made_at)}${size ? ` · ${arrived(safe, row.photos.length)} · ${bytes(size)}` : ""}</div>
    <div class="queue-state ${state}">${icon(sign)} ${text()}</div>
    ${row.state === "received" && size ? html`<progress max=${size} value=${sent} aria-label=${_("Photos")}></progress>` : nothing}
    ${row.photos.filter((one) => one.state === "refused").map((one) => html`<p class="wrong mb-0">${_("A photo was not taken: %(reason)s", { reason: one.title || "" })}</p>`)}
    ${row.doubt && row.doubt !== "not whole yet" ? html`<p class="wrong mb-0">${_("The receipt does not fit what was sent: it stays on the phone.")}</p>` : nothing}
    ${row.state === "refused" ? html`<p class="wrong mb-1">${row.title}</p><ul class="plain-list">${Object.entries(row.fields || {}).filter(([, said]) => [].concat(said).join(" ") !== row.title).map(([name, said]) => html`<li class="sub">${texts.has(name.replace("answers.", "")) ? html`<strong>${texts.get(name.replace("answers.", ""))}</strong>: ` : nothing}${[].concat(said).join(" ")}</li>`)}</ul>
      <button type="button" class="btn btn-primary wide" @click=${() => correct(row)}>${icon("edit")} ${_("Open and correct")}</button>` : nothing}</li>`;
}
