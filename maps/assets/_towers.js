// The towers by condition that the filters in the address find: clusters from afar, signs when near.
import { CONDITIONS } from "core/conditions";
import { _, number, ready } from "core/texts";
import { offer } from "./_base.js";
import { boxText, load, statusControl } from "./_elements.js";
import { showChoice, showTower, whenChosen } from "./_popups.js";
import { conditionTexts, donut, sign } from "./_signs.js";

const { L } = window;

// The place that the address of the page names: #zoom/latitude/longitude.
function keptPlace() {
  const [, zoom, latitude, longitude] = /^#(\d+)\/(-?[\d.]+)\/(-?[\d.]+)$/.exec(window.parent.location.hash) || [];
  return zoom && { zoom: Number(zoom), centre: [Number(latitude), Number(longitude)] };
}

// A map is drawn at whole pixels, so that it comes to stand a little beside what the address says,
// again at each change of the window: the address moves with its reader only.
function keepPlace(map) {
  const kept = keptPlace();
  const { lat, lng } = map.getCenter();
  const zoom = map.getZoom();
  if (kept && kept.zoom === zoom && map.project(kept.centre, zoom).distanceTo(map.project([lat, lng], zoom)) < 2) return;
  window.parent.history.replaceState(null, "", `#${zoom}/${lat.toFixed(5)}/${lng.toFixed(5)}`);
}

export function addTowers(map) {
  const layer = L.layerGroup().addTo(map);
  const filters = new URLSearchParams(window.location.search);
  let running = null;
  let status = () => {};

  function draw(data) {
    layer.clearLayers();
    const conditions = {};
    const spots = new Map();
    for (const tower of data.towers || []) {
      conditions[tower[3]] = (conditions[tower[3]] || 0) + 1;
      const spot = `${tower[1]},${tower[2]}`;
      if (!spots.has(spot)) spots.set(spot, []);
      spots.get(spot).push(tower);
    }
    for (const towers of spots.values()) {
      const [id, x, y, , ] = towers[0];
      const worst = CONDITIONS.find((name) => towers.some((tower) => tower[3] === name));
      const late = towers.some((tower) => tower[4]);
      const marker = L.marker([y, x], {
        icon: L.divIcon({ html: sign(worst, late), className: "", iconSize: [24, 24] }),
        alt: conditionTexts()[worst], title: conditionTexts()[worst],
        zIndexOffset: 1000 * (CONDITIONS.length - CONDITIONS.indexOf(worst)),
      });
      whenChosen(marker, (byKeyboard) => (towers.length > 1
        ? showChoice(map, [y, x], towers, byKeyboard)
        : showTower(map, [y, x], id, byKeyboard)));
      layer.addLayer(marker);
    }
    for (const cluster of data.clusters || []) {
      for (const [name, count] of Object.entries(cluster.conditions)) conditions[name] = (conditions[name] || 0) + count;
      const { box, size } = donut(cluster.conditions, cluster.number);
      const marker = L.marker([cluster.y, cluster.x], {
        icon: L.divIcon({ html: box, className: "", iconSize: [size, size] }),
        alt: _("%(number)s towers", { number: number(cluster.number) }),
        title: CONDITIONS.filter((name) => cluster.conditions[name])
          .map((name) => `${conditionTexts()[name]}: ${number(cluster.conditions[name])}`).join("\n"),
      });
      whenChosen(marker, () => map.setView([cluster.y, cluster.x], Math.min(map.getZoom() + 2, 18)));
      layer.addLayer(marker);
    }
    window.parent.postMessage(
      { shown: data.shown, matching: data.matching, total: data.total, conditions }, window.location.origin,
    );
  }

  async function refresh() {
    if (running) running.abort();
    running = new AbortController();
    const { signal } = running;
    const query = new URLSearchParams(filters);
    query.set("bbox", boxText(map));
    query.set("zoom", String(map.getZoom()));
    const slow = window.setTimeout(() => status(_("Loading…")), 400);
    try {
      draw(await load(`/map/towers.json?${query}`, { signal }));
      status("");
    } catch (error) {
      if (error.name !== "AbortError") status(_("The towers could not be loaded."), refresh);
    } finally {
      window.clearTimeout(slow);
    }
  }

  ready.then(async () => {
    status = statusControl(map);
    const kept = keptPlace();
    if (kept) {
      map.setView(kept.centre, kept.zoom);
    } else {
      try {
        const { box } = await load(`/map/extent.json?${filters}`);
        if (box) map.fitBounds([[box[1], box[0]], [box[3], box[2]]], { padding: [20, 20], maxZoom: 14, animate: false });
      } catch {
        status(_("The towers could not be loaded."), refresh);
      }
    }
    map.on("moveend", () => {
      keepPlace(map);
      refresh();
    });
    refresh();
  });
  return offer(layer, () => _("Towers by condition"));
}
