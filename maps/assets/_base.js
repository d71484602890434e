// What every map has: scale, communes, and the switch of layers.
import { _, ready } from "core/texts";
import { element, load } from "./_elements.js";
import { keepShown, shownAtFirst } from "./_shown.js";

const { L } = window;
const layers = [];
let control = null;

// A layer that the reader may hide; `name` gives its text once the texts are there, and `key` stands
// for it in the address.
export function offer(layer, name, key = "") {
  layers.push({ layer, name, key });
  if (!control) return layer;
  // The names are our own texts: Leaflet writes them as markup.
  control.addOverlay(layer, name());
  shownAtFirst(control._map, layer, key);
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

export function addCommunes(map) {
  map.createPane("communes").style.zIndex = 250;
  const layer = L.geoJSON(null, {
    pane: "communes", interactive: false,
    style: { weight: 1, dashArray: "4 3", className: "commune" },
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
  return offer(layer, () => _("Communes"), "communes");
}

export function addLayerSwitch(map) {
  // By then the towers are shown.
  const begun = new Promise((resolve) => { map.once("begun", resolve); });
  ready.then(async () => {
    control = L.control.layers(null, {}, { position: "topright", collapsed: true });
    for (const { layer, name } of layers) control.addOverlay(layer, name());
    control.addTo(map);
    await begun;
    for (const { layer, key } of layers) shownAtFirst(map, layer, key);
    keepShown(map, layers);
  });
}
