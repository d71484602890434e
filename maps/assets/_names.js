// Names on the map: of countries and seas, of the two archipelagos, of whatever a layer names. They
// stand above signs and clusters, and nothing can be done with them.
import islands from "../data/islands.json";
import known from "../data/names.json";
import { element, language } from "./_elements.js";

const { L } = window;
// From here on each island has its own name, with that of its archipelago: that one may be out of sight.
const ISLANDS_ZOOM = 10;

const inWords = (one) => (language === "en" ? one.en : one.vi);

// A name, whose place is its middle; `above` or `below` the place where something else is there. Of
// the panes "names" lies above signs and clusters.
export function nameAt(map, place, text, kind, { at = "", pane = "names" } = {}) {
  if (!map.getPane(pane)) map.createPane(pane);
  const icon = L.divIcon({ html: element("div", { class: `name ${kind} ${at}`, text }), className: "", iconSize: [0, 0] });
  return L.marker(place, { pane, interactive: false, keyboard: false, icon });
}

// Show a layer between two zooms only.
export function between(map, layer, from, to = Infinity) {
  const look = () => {
    const wanted = map.getZoom() >= from && map.getZoom() <= to;
    if (wanted !== map.hasLayer(layer)) layer[wanted ? "addTo" : "removeFrom"](map);
  };
  map.on("zoomend", look);
  look();
}

// They come with the script: no map is without them, whatever fails to load.
export function addIslands(map) {
  map.createPane("islands").style.zIndex = 155;
  islands.islands.forEach((group, index) => {
    const parts = group.parts.map(({ latitude, longitude }) => (
      L.circleMarker([latitude, longitude], { pane: "islands", interactive: false, radius: 2.5, className: "island" })));
    between(map, L.layerGroup(parts), 4);
    // From afar the two names stand close: one above its islands, the other one below.
    nameAt(map, [group.latitude, group.longitude], inWords(group).replace(" (", "\n("), "archipelago", { at: index ? "below" : "above" }).addTo(map);
    const names = group.parts.map(({ name, latitude, longitude }) => nameAt(map, [latitude, longitude], `${name}\n${inWords(group)}`, "small-island", { at: "below" }));
    between(map, L.layerGroup(names), ISLANDS_ZOOM);
  });
  for (const one of known.names) {
    between(map, nameAt(map, [one.latitude, one.longitude], inWords(one), one.kind), one.from, one.to);
  }
}
