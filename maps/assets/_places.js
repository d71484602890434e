// Small maps: one tower with its surroundings, one area, the rows of a list, some places, a position.
import { _, number, ready } from "core/texts";
import { element, load, statusControl } from "./_elements.js";
import { whenChosen } from "./_popups.js";
import { conditionTexts, sign } from "./_signs.js";
import { towerLayer } from "./_towers.js";

const { L } = window;

// Round a tower: where it may fall, its ground, guys to their anchors, and its neighbours.
function drawSurroundings(map, place, around) {
  if (around.fall_zone) {
    const zone = L.geoJSON(around.fall_zone.geometry, {
      interactive: false, style: { className: "fall-zone dangerous", weight: 2, dashArray: "6 5" },
    }).addTo(map);
    map.fitBounds(zone.getBounds().pad(0.6), { maxZoom: 18, animate: false });
  }
  if (around.footprint) {
    L.geoJSON(around.footprint, { interactive: false, style: { className: "ground", weight: 2 } }).addTo(map);
  }
  for (const anchor of around.anchors) {
    const held = [anchor.latitude, anchor.longitude];
    const named = _("Anchor %(number)s", { number: anchor.number });
    L.polyline([place, held], { className: "guy", weight: 1.5, interactive: false }).addTo(map);
    L.circleMarker(held, { radius: 4, className: "anchor", weight: 2 })
      .bindTooltip(() => element("span", { text: `${named} · ${number(anchor.distance_m)} m` }))
      .addTo(map);
  }
  for (const other of around.neighbours) {
    const marker = L.marker([other.latitude, other.longitude], {
      icon: L.divIcon({ html: sign(other.condition), className: "neighbour", iconSize: [18, 18] }),
      alt: other.code, zIndexOffset: -100,
    }).bindTooltip(() => element("span", { text: `${other.code} · ${number(other.metres)} m` })).addTo(map);
    whenChosen(marker, () => { window.top.location.assign(`/towers/${encodeURIComponent(other.code)}`); });
  }
}

export function addOneTower(map) {
  const code = window.location.pathname.split("/").pop();
  Promise.all([ready, load(`/map/places/${code}.json`), load(`/map/surroundings/${code}.json`)]).then(([, tower, around]) => {
    const place = [tower.latitude, tower.longitude];
    map.setView(place, 16, { animate: false });
    drawSurroundings(map, place, around);
    L.marker(place, {
      icon: L.divIcon({ html: sign(tower.condition, tower.overdue), className: "", iconSize: [24, 24] }),
      alt: conditionTexts()[tower.condition], keyboard: false,
    }).addTo(map);
  });
}

const ROW_COLOURS = { new: "#0b7a5b", changed: "#c26a00", duplicate: "#7a3e9d", suspicious: "#b3261e" };
const rowTexts = () => ({
  new: _("New"), changed: _("Changed"), duplicate: _("Probable duplicate"), suspicious: _("To be checked"),
});

export function addImportedRows(map) {
  const batch = window.location.pathname.split("/").pop();
  Promise.all([ready, load(`/towers/imports/${batch}/points.json`)]).then(([, rows]) => {
    const box = L.latLngBounds([]);
    const renderer = L.canvas({ padding: 0.3 });
    for (const { geometry, properties } of rows.features) {
      const place = [geometry.coordinates[1], geometry.coordinates[0]];
      box.extend(place);
      L.circleMarker(place, {
        renderer, radius: properties.verdict === "new" ? 5 : 7, weight: 1.5, color: "#fff",
        fillColor: ROW_COLOURS[properties.verdict], fillOpacity: 0.95,
      }).bindPopup(() => element("div", { class: "popup" }, [
        element("h3", { text: properties.code }),
        element("div", { text: _("Row %(number)s", { number: number(properties.row) }) }),
        element("div", { text: rowTexts()[properties.verdict] }),
      ])).addTo(map);
    }
    if (box.isValid()) map.fitBounds(box, { padding: [24, 24], maxZoom: 14, animate: false });
    if (rows.features.length < rows.total) {
      const note = L.control({ position: "bottomleft" });
      note.onAdd = () => element("div", { class: "status", text: _("%(drawn)s of %(total)s rows are drawn", {
        drawn: number(rows.features.length), total: number(rows.total),
      }) });
      note.addTo(map);
    }
  });
}

export function addOneArea(map) {
  const number = window.location.pathname.split("/").pop();
  Promise.all([ready, load(`/map/areas/${number}.geojson`)]).then(([, collection]) => {
    const layer = L.geoJSON(collection, {
      interactive: false, style: { className: "chosen-area", weight: 3 },
    }).addTo(map);
    if (layer.getLayers().length) map.fitBounds(layer.getBounds(), { padding: [20, 20], animate: false });
  });
}

export function addPlaces(map) {
  const places = new URLSearchParams(window.location.search).getAll("place")
    .map((one) => one.split(",").map(Number))
    .filter(([lat, lon]) => Math.abs(lat) <= 90 && Math.abs(lon) <= 180);
  places.forEach((place, index) => {
    const pin = element("div", { class: "place" }, [element("b", { text: places.length > 1 ? String(index + 1) : "" })]);
    L.marker(place, {
      icon: L.divIcon({ html: pin, className: "", iconSize: [26, 26] }), keyboard: false, interactive: false,
      zIndexOffset: 10000,
    }).addTo(map);
  });
  if (!places.length) return;
  map.fitBounds(L.latLngBounds(places), { animate: false, maxZoom: 17, padding: [60, 60] });
  // From afar every tower of the province would stand in front of the places.
  ready.then(() => towerLayer(map, "", { status: statusControl(map), minZoom: 14 }).addTo(map));
}

export function addPicker(map) {
  let mark = null;
  const show = (place) => {
    const icon = L.divIcon({ html: sign("unchecked"), className: "", iconSize: [24, 24] });
    if (mark) mark.setLatLng(place); else mark = L.marker(place, { icon, keyboard: false }).addTo(map);
  };
  map.on("click", ({ latlng }) => {
    const place = latlng.wrap();
    show(place);
    window.parent.postMessage({ lat: place.lat, lon: place.lng }, window.location.origin);
  });
  window.addEventListener("message", (event) => {
    if (event.origin !== window.location.origin) return;
    const { lat, lon } = event.data || {};
    if (!Number.isFinite(lat) || !Number.isFinite(lon)) return;
    show([lat, lon]);
    map.setView([lat, lon], Math.max(map.getZoom(), 14));
  });
  load("/map/extent.json").then(({ box }) => {
    if (box && !mark) map.fitBounds([[box[1], box[0]], [box[3], box[2]]], { animate: false });
    window.parent.postMessage("ready", window.location.origin);
  });
}
