// Which layers a reader has switched on or off stands in the address of the page, as in
// `layers=heat,-communes`: so a link shows what its sender saw. What a map shows by itself is not said.

const page = window.parent;
const asked = new URLSearchParams(window.location.search).get("layers") || "";
const wanted = new Map(asked.split(",").filter(Boolean).map((one) => [one.replace("-", ""), !one.startsWith("-")]));
const usual = new Map();

const kept = page !== window && page.location.pathname === "/map";

// Whether a layer is shown at first, by the address or else as it usually is.
export function shownAtFirst(map, layer, key) {
  if (!kept || !key || usual.has(key)) return;
  usual.set(key, map.hasLayer(layer));
  if (!wanted.has(key)) return;
  if (wanted.get(key)) map.addLayer(layer); else map.removeLayer(layer);
}

export function keepShown(map, layers) {
  if (!kept) return;
  const say = () => {
    const said = layers.filter(({ layer, key }) => key && map.hasLayer(layer) !== usual.get(key))
      .map(({ layer, key }) => (map.hasLayer(layer) ? key : `-${key}`));
    const query = new URLSearchParams(page.location.search);
    if (said.length) query.set("layers", said.join(",")); else query.delete("layers");
    // Commas are read better as they are.
    const text = String(query).replaceAll("%2C", ",");
    page.history.replaceState(null, "", `${page.location.pathname}${text && `?${text}`}${page.location.hash}`);
  };
  // What belongs together is switched one after another.
  map.on("overlayadd overlayremove", () => window.setTimeout(say));
}
