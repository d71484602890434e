// The work beside the violation map: its towers as a list, which and the map mark one another.
import { ready } from "core/texts";
import { towerList } from "./_tower_list.js";

const frame = document.querySelector("#map");
const panel = document.querySelector("#map-list");

// On a narrow screen the list lies below the map, folded until somebody wants it.
if (window.matchMedia("(max-width: 640px)").matches) panel.open = false;

await ready;
const tell = (what) => frame.contentWindow.postMessage(what, window.location.origin);
const list = towerList({
  looked: (tower) => tell({ looked: tower && { latitude: tower.latitude, longitude: tower.longitude } }),
});

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== frame.contentWindow) return;
  const { view, pointed } = event.data || {};
  if (typeof view === "string") list.show(view);
  if (Array.isArray(pointed)) list.mark(pointed);
});
// The map may have begun before anybody listened here.
tell({ ask: "view" });
