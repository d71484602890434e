// The map without a network: land, communes and towers as they were fetched.
import { dist } from "core/dist";
import { _ } from "core/texts";
import { indexOf } from "./pack.js";
import { here, locate } from "./position.js";
import { fact } from "./store.js";
import { condition, html, icon, nothing, way } from "./show.js";

// Leaflet and what draws with it are loaded with the first map, from the phone itself.
async function drawing() {
  if (!window.L) {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${dist}/vendor/leaflet/leaflet.css` });
    const script = Object.assign(document.createElement("script"), { src: `${dist}/vendor/leaflet/leaflet.js` });
    const loaded = new Promise((done, fail) => { script.onload = done; script.onerror = fail; });
    const own = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${dist}/maps-field.css` });
    document.head.append(style, own, script);
    await loaded;
  }
  return import(`${dist}/maps-field.js`);
}

export async function open({ db, draw }) {
  const [all, areas, work] = await Promise.all([indexOf(db), fact(db, "areas"), fact(db, "work")]);
  const tasks = new Set((work?.tasks || []).map((one) => one.tower));
  const { openMap } = await drawing();
  let chosen = null;
  let shown = null;
  let left = false;

  return {
    title: _("Map"),
    leave: () => { left = true; shown?.remove(); },
    shown: async () => {
      shown = openMap(document.querySelector("#field-map"), { areas, towers: all, tasks, choose: (one) => { chosen = one; draw(); } });
      shown.here(here());
      const found = await locate();
      if (!left) shown.here(found);
    },
    body: () => html`<div id="field-map" aria-label=${_("Map")}></div>
      <button type="button" class="btn btn-light locate" aria-label=${_("Show where I am")} @click=${() => shown.center(here())}>${icon("position")}</button>
      ${chosen ? html`<div class="map-choice"><div class="line"><strong>${chosen.code}</strong>${condition(chosen.condition)}</div><div>${chosen.name}</div><div class="sub">${way(here(), chosen)}</div>
        <div class="acts"><a class="btn btn-primary" href="#/tower/${encodeURIComponent(chosen.code)}">${_("Open")}</a><button type="button" class="btn btn-outline-primary" @click=${() => { chosen = null; draw(); }}>${_("Close")}</button></div></div>` : nothing}`,
  };
}
