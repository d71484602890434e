// Map pictures below everything else: of the tile server that the department allows, and of an archive
// of its own. Nothing of them is asked before a reader wants them; the choice stays in this browser.
import { dist } from "core/dist";
import { _ } from "core/texts";
import { offer } from "./_base.js";
import { saySource } from "./_sources.js";

const { L } = window;
const KEY = "map-pictures";
const NEAREST = 19;

function kept() {
  try { return (window.localStorage.getItem(KEY) || "").split(" "); } catch { return []; }
}
function keep(key, wanted) {
  const keys = kept().filter((one) => one && one !== key);
  try { window.localStorage.setItem(KEY, [...keys, ...(wanted ? [key] : [])].join(" ")); } catch { /* It holds for this map then. */ }
}

function offerPictures(map, { key, source, name, make }) {
  const layer = L.layerGroup();
  let unsay = () => {};
  layer.on("add", async () => {
    keep(key, true);
    unsay = saySource(map, source);
    map.getContainer().classList.add("with-pictures");
    if (!layer.getLayers().length) layer.addLayer(await make());
  });
  layer.on("remove", () => {
    keep(key, false);
    unsay();
    map.getContainer().classList.remove("with-pictures");
  });
  if (kept().includes(key)) layer.addTo(map);
  offer(layer, name);
}

export function offerTileServer(map, { url, attribution }) {
  offerPictures(map, {
    key: "server", source: attribution, name: () => _("Map pictures from another server"),
    make: () => L.tileLayer(url, { maxNativeZoom: NEAREST, maxZoom: 24, referrerPolicy: "no-referrer" }),
  });
}

// The program that reads archives comes when it is needed.
export function offerArchive(map, { id, source, licence }) {
  const program = `${dist}/maps-archive.js`;
  offerPictures(map, {
    key: "archive", source: [source, licence].filter(Boolean).join(", "), name: () => _("Map pictures of the department"),
    make: async () => (await import(program)).pictures(new URL(`/map/pictures/${id}.pmtiles`, window.location.href).href),
  });
}
