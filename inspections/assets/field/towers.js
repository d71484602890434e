// All towers on the phone: by code or name, the nearest first.
import { _ } from "core/texts";
import { indexOf } from "./pack.js";
import { distance, here, locate } from "./position.js";
import { condition, empty, html, icon, nothing, number, way } from "./show.js";

const MOST = 40;
// Marks and letters that a keyboard under a mast does not write: a D with a stroke is found as “d”.
export const plain = (text) => (text || "").normalize("NFD").replace(/\p{M}/gu, "").replace(/[\u0111\u0110]/g, "d").toLowerCase();

const noTowers = () => empty("tower", _("No towers on this phone yet"), html`<a class="btn btn-primary" href="#/phone">${_("Fetch for offline use")}</a>`);

export async function open({ db, draw }) {
  const all = await indexOf(db);
  for (const one of all) one.words = plain(`${one.code} ${one.name}`);
  let wanted = "";
  let left = true;
  locate().then(() => { if (left) draw(); });

  const found = () => {
    const words = plain(wanted).split(/\s+/).filter(Boolean);
    const hits = words.length ? all.filter((one) => words.every((each) => one.words.includes(each))) : all;
    const from = here();
    if (!from) return { hits, shown: hits.slice(0, MOST) };
    const far = (one) => (one.latitude === null ? Infinity : distance(from, one));
    return { hits, shown: hits.map((one) => [far(one), one]).sort((a, b) => a[0] - b[0]).slice(0, MOST).map(([, one]) => one) };
  };

  return {
    title: _("Towers"),
    leave: () => { left = false; },
    body: () => {
      const { hits, shown } = found();
      return html`
      <div class="block"><label class="form-label" for="find">${_("Code or name of a tower")}</label>
        <input class="form-control big" id="find" type="search" autocomplete="off" .value=${wanted} @input=${(event) => { wanted = event.target.value; draw(); }}></div>
      ${all.length ? html`<p class="sub px-1" role="status">${_("Towers found: %(count)s", { count: number(hits.length) })}${here() ? html` · ${_("the nearest first")}` : nothing}</p>` : nothing}
      <ul class="cards">${shown.map((one) => html`<li><a class="task-card" href="#/tower/${encodeURIComponent(one.code)}">
        <div class="line"><strong>${one.code}</strong>${condition(one.condition)}</div><div>${one.name}</div>
        <div class="line sub">${way(here(), one)}${one.open ? html`<span>${_("Open violations: %(count)s", { count: number(one.open) })}</span>` : nothing}</div></a></li>`)}</ul>
      ${all.length ? nothing : noTowers()}
      <div class="block"><p class="mb-2">${_("The tower in front of you is not in the register?")}</p><a class="btn btn-outline-primary wide" href="#/proposal">${icon("plus")} ${_("Propose a tower")}</a></div>`;
    },
  };
}
