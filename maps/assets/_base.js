// What lies below everything else: scale, land and sea, islands, communes, and the switch of layers.
import { feature } from "topojson-client";
import { _, ready } from "core/texts";
import { element, language, load } from "./_elements.js";

const { L } = window;
const layers = [];

// A layer that the reader may hide; `name` gives its text once the texts are there.
export function offer(layer, name) {
  layers.push({ layer, name });
  return layer;
}

export function addScale(map) {
  L.control.scale({ imperial: false }).addTo(map);
  // The scale is added last: the other controls stand already.
  ready.then(() => nameControls(map));
}

// Leaflet's own controls speak English.
function nameControls(map) {
  const say = (selector, text) => {
    for (const one of map.getContainer().querySelectorAll(selector)) {
      one.title = text;
      one.setAttribute("aria-label", text);
    }
  };
  const sayAll = () => {
    say(".leaflet-control-zoom-in", _("Zoom in"));
    say(".leaflet-control-zoom-out", _("Zoom out"));
    say(".leaflet-control-layers-toggle", _("Layers"));
    say(".leaflet-popup-close-button", _("Close"));
  };
  map.on("popupopen", sayAll);
  sayAll();
}

// The source lets a coast go on across 180° and ends Antarctica at its coast. Here each ring is one
// piece around its middle, in degrees that may go beyond 180, and a polar one goes over its pole.
function wholeRing(ring) {
  let turn = 0;
  const whole = ring.map(([x, y], index) => {
    const step = index ? x - ring[index - 1][0] : 0;
    if (Math.abs(step) > 180) turn -= 360 * Math.sign(step);
    return [x + turn, y];
  });
  if (turn) {
    const pole = 90 * Math.sign(whole[0][1]);
    whole.push([whole.at(-1)[0], pole], [whole[0][0], pole], whole[0]);
  }
  const [west, east] = reach(whole);
  return moved(whole, -360 * Math.round((west + east) / 720));
}

const reach = (ring) => ring.reduce(([west, east], [x]) => [Math.min(west, x), Math.max(east, x)], [Infinity, -Infinity]);
const moved = (ring, degrees) => ring.map(([x, y]) => [x + degrees, y]);

// What goes beyond 180° is drawn once more where the map shows that side.
function wholeLand(topology) {
  const polygons = feature(topology, topology.objects.land).features.flatMap((one) => one.geometry.coordinates);
  const coordinates = polygons.flatMap((polygon) => {
    const whole = polygon.map(wholeRing);
    const [west, east] = reach(whole[0]);
    const again = [];
    if (west < -180) again.push(whole.map((ring) => moved(ring, 360)));
    if (east > 180) again.push(whole.map((ring) => moved(ring, -360)));
    return [whole, ...again];
  });
  return { type: "MultiPolygon", coordinates };
}

export function addLand(map) {
  map.createPane("land").style.zIndex = 150;
  const layer = L.geoJSON(null, {
    pane: "land", interactive: false,
    style: { color: "#b9c3b4", weight: 1, fillColor: "#f4f3ec", fillOpacity: 1 },
  }).addTo(map);
  load("/static/dist/land.json").then((topology) => layer.addData(wholeLand(topology)));
  return layer;
}

export function addIslands(map) {
  load("/map/islands.json").then(({ islands }) => {
    for (const island of islands) {
      const name = element("div", { class: "island-name", text: language === "en" ? island.en : island.vi });
      L.marker([island.latitude, island.longitude], {
        interactive: false, keyboard: false,
        icon: L.divIcon({ html: name, className: "", iconSize: [240, 20] }),
      }).addTo(map);
    }
  });
}

export function addCommunes(map) {
  map.createPane("communes").style.zIndex = 250;
  const layer = L.geoJSON(null, {
    pane: "communes", interactive: false,
    style: { color: "#8798a5", weight: 1, dashArray: "4 3", fillColor: "#fdfdf9", fillOpacity: 0.75 },
    onEachFeature: (one, drawn) => {
      drawn.bindTooltip(() => element("span", { text: one.properties.name }), {
        permanent: true, direction: "center", className: "commune-name", interactive: false,
      });
    },
  }).addTo(map);
  const names = () => {
    const near = map.getZoom() >= 11;
    layer.eachLayer((drawn) => { if (near && map.hasLayer(layer)) drawn.openTooltip(); else drawn.closeTooltip(); });
  };
  Promise.all([ready, load("/map/communes.geojson")]).then(([, collection]) => {
    layer.addData(collection);
    names();
    if (collection.features.some((one) => one.properties.synthetic)) {
      const note = L.control({ position: "bottomright" });
      note.onAdd = () => element("div", { class: "synthetic-note", text: _("Synthetic boundaries, not the real ones") });
      note.addTo(map);
    }
  });
  map.on("zoomend", names);
  return offer(layer, () => _("Communes"));
}

export function addLayerSwitch(map) {
  ready.then(() => {
    const overlays = {};
    const control = L.control.layers(null, overlays, { position: "topright", collapsed: true });
    // The names are our own texts: Leaflet writes them as markup.
    for (const { layer, name } of layers) control.addOverlay(layer, name());
    control.addTo(map);
  });
}
