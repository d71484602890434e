// A tower that the register does not have: where it stands, what it is, and what stands near by.
import { _ } from "core/texts";
import { enqueue } from "./drafts.js";
import { indexOf } from "./pack.js";
import { distance, follow, here } from "./position.js";
import { send } from "./sync.js";
import { html, icon, metres, nothing, number, way, word } from "./show.js";
import { WORDS } from "./words.js";

const NEAR_M = 200;
const KEY = "field-proposal";

// Take a proposal that was refused out of the queue again, as it was filled in.
export async function putBack(account, db, { id, body }) {
  const { values, accuracy_m, note } = body;
  const said = { name: values.name || "", structure_type: values.structure_type || "", height: String(values.height_m ?? ""), note, place: { latitude: values.latitude, longitude: values.longitude, accuracy_m } };
  localStorage.setItem(`${KEY}-${account.id}`, JSON.stringify(said));
  await db.queue.delete(id);
}

export async function open({ account, db, draw, go }) {
  const all = await indexOf(db);
  const key = `${KEY}-${account.id}`;
  // As with answers, what is typed is kept at once.
  const said = JSON.parse(localStorage.getItem(key) || "{}");
  let place = said.place || null;
  let wrong = "";
  const set = (changes) => { Object.assign(said, changes); localStorage.setItem(key, JSON.stringify(said)); draw(); };
  const stop = follow((now) => { if (!place || now.accuracy_m < place.accuracy_m) { place = now; set({ place }); } });
  if (!place && here()) set({ place: place = here() });

  const near = () => (place ? all.filter((one) => one.latitude !== null).map((one) => [distance(place, one), one]).filter(([far]) => far < NEAR_M).sort((a, b) => a[0] - b[0]) : []);
  const put = async () => {
    if (!place) { wrong = _("The position is not known yet: allow it, or go outside."); draw(); return; }
    if (near().length && !said.confirmed) { wrong = _("Say that none of the towers near by is meant."); draw(); return; }
    const values = {
      latitude: place.latitude, longitude: place.longitude,
      ...(said.name?.trim() ? { name: said.name.trim() } : {}),
      ...(said.structure_type ? { structure_type: said.structure_type } : {}),
      ...(Number(String(said.height || "").replace(",", ".")) > 0 ? { height_m: Number(String(said.height).replace(",", ".")) } : {}),
    };
    const id = crypto.randomUUID();
    await enqueue(db, {
      id: crypto.randomUUID(), kind: "proposal", made_at: new Date().toISOString(),
      body: { id, kind: "new", values, accuracy_m: place.accuracy_m, note: (said.note || "").trim(), confirmed: Boolean(said.confirmed) },
    }, { tower: said.name?.trim() || "", what: "proposal" });
    localStorage.removeItem(key);
    go("sending");
    send({ atOnce: true }).catch((error) => { console.error(error); });
  };

  return {
    title: _("Propose a tower"),
    back: "towers",
    alone: true,
    leave: stop,
    body: () => html`<section class="block">
      <div class="place-line">${icon("position")}<div>${place ? html`${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)} <span class="sub nowrap">± ${number(place.accuracy_m)} m</span>` : _("Looking for the position…")}</div><button type="button" class="btn btn-outline-primary" ?disabled=${!here()} @click=${() => set({ place: place = here() })}>${_("Here")}</button></div>
      ${near().length ? html`<h2>${_("Is it one of these?")}</h2><ul class="cards">${near().slice(0, 6).map(([far, one]) => html`<li><a class="task-card" href="#/tower/${encodeURIComponent(one.code)}"><div class="line"><strong>${one.code}</strong><span>${metres(far)}</span></div><div>${one.name}</div><div class="sub">${word(one.structure_type, "structure_type")} ${way(place, one)}</div></a></li>`)}</ul>
        <button type="button" class="choice mb-3" aria-pressed=${Boolean(said.confirmed)} @click=${() => { wrong = ""; set({ confirmed: !said.confirmed }); }}>${_("No, it is none of them")}</button>` : nothing}
      <label class="field"><span class="form-label">${_("Name or what stands on it")}</span><input class="form-control big" maxlength="200" autocomplete="off" .value=${said.name || ""} @input=${(event) => set({ name: event.target.value })}></label>
      <label class="field"><span class="form-label">${_("Structure type")}</span><select class="form-select big" @change=${(event) => set({ structure_type: event.target.value })}><option value="">${_("Choose…")}</option>${Object.keys(WORDS.structure_type).filter((one) => one !== "unknown").map((one) => html`<option value=${one} ?selected=${said.structure_type === one}>${word(one, "structure_type")}</option>`)}</select></label>
      <label class="field"><span class="form-label">${_("Height (m), estimated")}</span><input class="form-control big" inputmode="decimal" autocomplete="off" .value=${said.height || ""} @input=${(event) => set({ height: event.target.value })}></label>
      <label class="field"><span class="form-label">${_("Note")}</span><textarea class="form-control" rows="3" maxlength="4000" .value=${said.note || ""} @input=${(event) => set({ note: event.target.value })}></textarea></label>
      ${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : nothing}
      <button type="button" class="btn btn-primary wide" @click=${put}>${icon("upload")} ${_("Send the proposal")}</button></section>`,
  };
}
