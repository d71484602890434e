// The page around the map: shows the counts that the map tells, and fills the choice of owners.
import { _, number, ready } from "core/texts";
import "./_take.js";

await ready;
const frame = document.querySelector("#map");
const count = document.querySelector("#map-count");

// Other filters narrow the same day, and the same layers show it.
document.querySelector(".filter-panel form").addEventListener("formdata", ({ formData }) => {
  const query = new URLSearchParams(window.location.search);
  for (const name of ["on", "layers"]) if (query.get(name)) formData.set(name, query.get(name));
});

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== frame.contentWindow) return;
  const { shown, matching, total, conditions, on } = event.data || {};
  if (!Number.isFinite(matching)) return;
  const then = on ? _(" at the end of %(day)s", { day: on.split("-").reverse().join("/") }) : "";
  count.textContent = _("%(shown)s in view · %(matching)s of %(total)s towers", {
    shown: number(shown), matching: number(matching), total: number(total),
  }) + then;
  for (const element of document.querySelectorAll("[data-count]")) {
    element.textContent = number(conditions[element.dataset.count] || 0);
  }
});
// The map may have counted before anybody listened here.
frame.contentWindow.postMessage({ ask: "counts" }, window.location.origin);

const owners = document.querySelector("#f-owner");
const chosen = new URLSearchParams(window.location.search).get("owner");
const answer = await fetch("/map/owners.json");
if (answer.ok) {
  for (const owner of (await answer.json()).owners) {
    const option = new Option(owner.name, owner.id, false, owner.id === chosen);
    owners.append(option);
  }
}
