// What the map and the list beside it tell one another: the view, the row that is looked at, the
// sign that is pointed at, the towers that somebody picks out.
import { chooser } from "./_chooser.js";

const { L } = window;

const MARK = { radius: 20, fill: false, interactive: false, pane: "mark" };

// The view as an address has it.
function viewOf(map) {
  const bounds = map.getBounds();
  const limited = (value) => Math.max(-720, Math.min(720, value)).toFixed(6);
  return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()].map(limited).join(",");
}

export function addBeside(map) {
  map.createPane("mark").style.zIndex = 650;
  const mark = L.layerGroup().addTo(map);
  const tell = (what) => window.parent.postMessage(what, window.location.origin);

  // Before it has begun the map looks somewhere that nobody asked for.
  let begun = false;
  const tellView = () => { if (begun) tell({ view: viewOf(map) }); };
  map.on("moveend", tellView);
  map.once("begun", () => { begun = true; tellView(); });
  map.on("pastday", ({ day }) => tell({ pastDay: day }));

  window.addEventListener("message", (event) => {
    if (event.origin !== window.location.origin || event.source !== window.parent) return;
    const { ask, looked } = event.data || {};
    if (ask === "view") tellView();
    if (looked === undefined) return;
    mark.clearLayers();
    if (!looked) return;
    const place = [looked.latitude, looked.longitude];
    mark.addLayer(L.circleMarker(place, { ...MARK, color: "#fff", weight: 8 }));
    mark.addLayer(L.circleMarker(place, { ...MARK, color: "#0d3b52", weight: 4 }));
  });

  map.on("toweropened", ({ tower, box }) => { box.append(chooser(tower)); });

  const container = map.getContainer();
  const pointed = (event) => {
    const drawn = event.target.closest?.(".leaflet-marker-icon")?.querySelector("[data-towers]");
    return drawn ? drawn.dataset.towers.split(" ") : [];
  };
  for (const name of ["pointerover", "focusin"]) container.addEventListener(name, (event) => tell({ pointed: pointed(event) }));
  for (const name of ["pointerleave", "focusout"]) container.addEventListener(name, () => tell({ pointed: [] }));
}
