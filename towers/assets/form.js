// The form, its map and the check speak of one position: a click fills the fields, typing moves the
// mark, and whatever was typed is looked at while it is typed.
import { _, number, ready } from "core/texts";
import { inVn2000 } from "./_vn2000.js";

await ready;

const picker = document.querySelector("#picker");
const panel = document.querySelector("#position-check");
const names = ["srid", "latitude", "longitude"];
const field = (name) => document.querySelector(`#f-${name}`);
const WAIT_MS = 350;
let asked = null;
// Whether the script itself fills the fields, which is no typing.
let taking = false;
let timer = 0;

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Put a position into the fields, as a click on the map or on a button means it.
function take(fields) {
  for (const name of names) if (fields[name] !== undefined) field(name).value = fields[name];
  field("anything").value = "";
  taking = true;
  field("latitude").dispatchEvent(new Event("input", { bubbles: true }));
  taking = false;
}

function hintRow(hint) {
  const row = element("li", `${hint.text}: ${hint.why} (${hint.system}). `);
  const button = element("button", _("Take this position"), { type: "button", class: "btn btn-sm btn-outline-primary" });
  button.addEventListener("click", () => take(hint));
  row.append(button, element("span", ` ${hint.latitude}, ${hint.longitude}`, { class: "sub" }));
  return row;
}

function hints(found) {
  if (!found.length) return;
  const list = element("ul");
  list.append(...found.map(hintRow));
  panel.append(element("div", _("Perhaps:"), { class: "doubtful" }), list);
}

function tell(found) {
  panel.replaceChildren();
  if (found.problems.length) {
    panel.append(...found.problems.map((text) => element("div", text, { class: "wrong" })));
    hints(found.hints);
    return;
  }
  panel.append(...found.notes.map((text) => element("div", text, { class: "sub" })));
  panel.append(element("div", found.commune ? _("In %(commune)s", { commune: found.commune }) : _("In no commune of the register"), found.commune ? {} : { class: "doubtful" }));
  const wgs84 = `WGS 84: ${found.latitude.toFixed(6)}, ${found.longitude.toFixed(6)}`;
  panel.append(element("div", wgs84, { class: "sub" }));
  panel.append(...inVn2000(found).map((text) => element("div", text, { class: "sub" })));
  if (found.nearest) {
    const title = _("Nearest tower");
    const near = element("div", `${title}: `, { class: found.nearest.metres < 100 ? "doubtful" : "sub" });
    near.append(element("a", `${found.nearest.code} · ${found.nearest.name}`, { href: `/towers/${encodeURIComponent(found.nearest.code)}`, target: "_blank" }));
    near.append(` – ${number(found.nearest.metres)} m`);
    panel.append(near);
  }
  panel.append(...found.doubts.map((text) => element("div", text, { class: "doubtful" })));
  hints(found.hints);
}

function show(position) {
  picker.contentWindow.postMessage({ lat: position.latitude, lon: position.longitude }, window.location.origin);
}

async function check() {
  const text = field("anything").value.trim();
  const [latitude, longitude] = ["latitude", "longitude"].map((name) => field(name).value.trim());
  if (asked) asked.abort();
  if (!text && !(latitude && longitude)) { panel.replaceChildren(); return; }
  asked = new AbortController();
  const query = new URLSearchParams({ srid: field("srid").value, commune: field("stated_commune").value, tower: panel.dataset.tower });
  if (text) query.set("text", text); else { query.set("latitude", latitude); query.set("longitude", longitude); }
  try {
    const answer = await fetch(`/towers/new/position.json?${query}`, { headers: { Accept: "application/json" }, signal: asked.signal });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const found = await answer.json();
    // A pasted text is what counts: nothing older stays in the fields beside it.
    if (text) for (const name of ["latitude", "longitude"]) field(name).value = found.fields ? found.fields[name] : "";
    if (text && found.fields) field("srid").value = found.fields.srid;
    tell(found);
    if (found.latitude !== undefined) show(found);
  } catch (error) {
    if (error.name === "AbortError") return;
    panel.replaceChildren(element("div", _("The position could not be checked. It is checked again when you save."), { class: "sub" }));
  }
}

function soon() {
  window.clearTimeout(timer);
  timer = window.setTimeout(check, WAIT_MS);
}

for (const name of ["anything", ...names, "stated_commune"]) {
  field(name).addEventListener("input", () => {
    // Who types into the fields means them, not what was pasted before; a system alone may still
    // be the answer to pasted metres.
    const filled = field("latitude").value.trim() !== "";
    if (names.includes(name) && !taking && (name !== "srid" || filled)) field("anything").value = "";
    soon();
  });
}
for (const button of document.querySelectorAll("[data-take]")) {
  button.addEventListener("click", () => take(JSON.parse(button.dataset.take)));
}

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== picker.contentWindow) return;
  if (event.data === "ready") { check(); return; }
  const { lat, lon } = event.data || {};
  if (!Number.isFinite(lat) || !Number.isFinite(lon)) return;
  take({ srid: "4326", latitude: lat.toFixed(6), longitude: lon.toFixed(6) });
});
picker.addEventListener("load", check);
// The map may have been ready before anybody listened here.
if (picker.contentDocument?.readyState === "complete") check();
