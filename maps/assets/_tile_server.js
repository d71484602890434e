// Pictures of the tile server that the department allows. No other host is asked before a reader
// wants them; the choice stays in this browser.
import { _ } from "core/texts";
import { offer } from "./_base.js";
import { saySource } from "./_sources.js";

const { L } = window;
const KEY = "tile-server";
const NEAREST = 19;

function kept() {
  try { return window.localStorage.getItem(KEY); } catch { return null; }
}
function keep(url) {
  try { if (url) window.localStorage.setItem(KEY, url); else window.localStorage.removeItem(KEY); } catch { /* It holds for this map then. */ }
}

export function offerTileServer(map, { url, attribution }) {
  const pictures = L.tileLayer(url, { maxNativeZoom: NEAREST, maxZoom: 24, referrerPolicy: "no-referrer" });
  let unsay = () => {};
  pictures.on("add", () => {
    keep(url);
    unsay = saySource(map, attribution);
    map.getContainer().classList.add("with-pictures");
  });
  pictures.on("remove", () => {
    keep(null);
    unsay();
    map.getContainer().classList.remove("with-pictures");
  });
  if (kept() === url) pictures.addTo(map);
  offer(pictures, () => _("Map pictures from another server"));
}
