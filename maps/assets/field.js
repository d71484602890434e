// The map of the field app: nothing on it is fetched but what the phone has already.
import { COLOURS } from "core/conditions";
import { addLand } from "./_land.js";
import { addIslands } from "./_names.js";

const { L } = window;
const MIDDLE = [10.45, 105.75];

// Draws into `box`; `choose` is called with the tower that was tapped. Returns what can be done.
export function openMap(box, { areas, towers, tasks, choose }) {
  const map = L.map(box, { zoomControl: false, zoomSnap: 0.25, minZoom: 5, maxZoom: 18 }).setView(MIDDLE, 9);
  map.attributionControl.setPrefix(false).setPosition("bottomleft");
  addLand(map);
  addIslands(map);
  map.createPane("communes").style.zIndex = 250;
  const communes = areas?.features?.length ? L.geoJSON(areas, { pane: "communes", interactive: false, style: { color: "#7b8b96", weight: 1, fillColor: "#fff", fillOpacity: 0.35 } }).addTo(map) : null;
  // Some thousand signs are drawn on one canvas.
  const renderer = L.canvas({ padding: 0.3 });
  const places = towers.filter((one) => one.latitude !== null);
  for (const tower of places) {
    const mine = tasks.has(tower.code);
    L.circleMarker([tower.latitude, tower.longitude], { renderer, radius: mine ? 10 : 6, color: mine ? "#17232c" : "#fff", weight: mine ? 3 : 1, fillColor: COLOURS[tower.condition], fillOpacity: 0.95 })
      .on("click", () => choose(tower))
      .addTo(map);
  }
  const wanted = places.filter((one) => tasks.has(one.code));
  const around = (some) => L.latLngBounds(some.map((one) => [one.latitude, one.longitude]));
  const bounds = wanted.length ? around(wanted) : communes?.getBounds() || around(places);
  if (bounds?.isValid()) map.fitBounds(bounds.pad(0.15), { maxZoom: 14 });
  let me = null;
  return {
    here(place) {
      me?.remove();
      if (place) me = L.circleMarker([place.latitude, place.longitude], { radius: 8, color: "#fff", weight: 3, fillColor: "#1a73e8", fillOpacity: 1, interactive: false }).addTo(map);
    },
    center(place) { if (place) map.setView([place.latitude, place.longitude], Math.max(map.getZoom(), 13)); },
    remove() { map.remove(); },
  };
}
