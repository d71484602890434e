// The work beside the violation map: its towers as a list, which and the map mark one another, an
// area that is drawn, and what is done with the towers inside or with those that are picked out.
import { _, ready } from "core/texts";
import { showBasket } from "./_basket_bar.js";
import { offerCampaigns } from "./_campaign_choice.js";
import { chooser } from "./_chooser.js";
import { towerList } from "./_tower_list.js";

const frame = document.querySelector("#map");
const panel = document.querySelector("#map-list");

// On a narrow screen the list lies below the map, folded until somebody wants it.
if (window.matchMedia("(max-width: 640px)").matches) panel.open = false;

await ready;
const tell = (what) => frame.contentWindow.postMessage(what, window.location.origin);
const list = towerList({
  looked: (tower) => tell({ looked: tower && { latitude: tower.latitude, longitude: tower.longitude } }),
  made: (row, tower) => {
    const cell = document.createElement("td");
    cell.append(chooser(tower, { short: true }));
    row.append(cell);
  },
});
showBasket();

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== frame.contentWindow) return;
  const { view, pointed, area, pastDay } = event.data || {};
  if (typeof view === "string") list.show(view);
  if (typeof pastDay === "string") list.refresh();
  if (Array.isArray(pointed)) list.mark(pointed);
  if (typeof area === "string") narrow(area);
});
offerCampaigns();

// A drawn area is a filter of the page's address: the view stays where it is, and so does the way back.
function narrow(area) {
  const query = new URLSearchParams(window.location.search);
  query.delete("bbox");
  if (area) query.set("area", area); else query.delete("area");
  const { pathname, hash } = window.location;
  window.location.assign(`${pathname}${query.size ? `?${query}` : ""}${hash}`);
}
for (const link of document.querySelectorAll("[data-keep-view]")) {
  link.addEventListener("click", () => { link.hash = window.location.hash; });
}

// The address has the view as well as the filters.
const share = document.querySelector("#share");
share.addEventListener("click", async () => {
  const name = share.querySelector("span");
  const before = name.textContent;
  try {
    await navigator.clipboard.writeText(window.location.href);
  } catch {
    // Browsers give the clipboard only to pages that come over HTTPS.
    window.prompt(_("Copy this address"), window.location.href);
    return;
  }
  name.textContent = _("Copied");
  window.setTimeout(() => { name.textContent = before; }, 2000);
});

// The map may have begun before anybody listened here.
tell({ ask: "view" });
