// The towers by condition that the filters in the address find: clusters from afar, signs when near.
// They come as tiles; what stands on them is put together here for the view as a whole.
import { VectorTile } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";
import { CONDITIONS } from "core/conditions";
import { _, number, ready } from "core/texts";
import { offer } from "./_base.js";
import { load, statusControl } from "./_elements.js";
import { showChoice, showTower, whenChosen } from "./_popups.js";
import { offerPresets } from "./_presets.js";
import { conditionTexts, donut, radiusOf, sign } from "./_signs.js";

const { L } = window;
const EXTENT = 4096;
const PIXELS = 256;
// More single signs than this cannot be told apart, and slow a phone down.
const MOST_SIGNS = 400;
// Dangerous towers stand one by one beside the clusters, unless there are more of them than this.
const MOST_DANGEROUS = 300;
const CLUSTER_PIXELS = 72;
// From this zoom on towers stand one by one however many there are.
const NEAR_ZOOM = 17;

// The tiles of a view, each with the `towers` and `clusters` on it; nothing of them is drawn here.
export const TowerTiles = L.GridLayer.extend({
  initialize(query, options) {
    this.query = query;
    this.held = new Map();
    L.GridLayer.prototype.initialize.call(this, { tileSize: PIXELS, noWrap: true, bounds: [[-90, -180], [90, 180]], updateWhenIdle: true, keepBuffer: 0, ...options });
    this.on("tileunload", ({ coords }) => {
      this.held.get(keyOf(coords))?.stop.abort();
      this.held.delete(keyOf(coords));
    });
  },

  createTile(coords, done) {
    const held = { zoom: coords.z, stop: new AbortController(), towers: [], clusters: [] };
    this.held.set(keyOf(coords), held);
    fetch(`/tiles/towers/${coords.z}/${coords.x}/${coords.y}.mvt?${this.query}`, { signal: held.stop.signal })
      .then(async (answer) => {
        if (!answer.ok) throw new Error(`${answer.status}`);
        Object.assign(held, read(await answer.arrayBuffer(), coords));
        done(null, null);
      })
      .catch((error) => { if (error.name !== "AbortError") done(error, null); });
    return document.createElement("div");
  },

  // What stands on the tiles of this zoom.
  all(name) {
    const here = [...this.held.values()].filter((one) => one.zoom === this._tileZoom);
    return here.flatMap((one) => one[name]);
  },
});

const keyOf = ({ x, y, z }) => `${z}/${x}/${y}`;

function read(bytes, { x, y, z }) {
  const { layers } = new VectorTile(new PbfReader(new Uint8Array(bytes)));
  const features = (name) => Array.from({ length: layers[name]?.length || 0 }, (_unused, index) => {
    const feature = layers[name].feature(index);
    const [[point]] = feature.loadGeometry();
    const pixel = L.point((x + point.x / EXTENT) * PIXELS, (y + point.y / EXTENT) * PIXELS);
    return { ...feature.properties, pixel, place: L.CRS.EPSG3857.pointToLatLng(pixel, z) };
  });
  return { towers: features("towers"), clusters: features("clusters") };
}

const numbersOf = (cluster) => Object.fromEntries(CONDITIONS.map((name) => [name, cluster[name] || 0]));

const sum = (one, other) => {
  const number = one.number + other.number;
  const pixel = one.pixel.multiplyBy(one.number / number).add(other.pixel.multiplyBy(other.number / number));
  const numbers = CONDITIONS.map((name) => [name, (one[name] || 0) + (other[name] || 0)]);
  return { ...Object.fromEntries(numbers), number, pixel, overdue: one.overdue || other.overdue };
};

const asCluster = (tower) => ({ number: 1, [tower.condition]: 1, pixel: tower.pixel, overdue: tower.overdue, tower });

// Towers and clusters of which none hides another: those of one cell of the screen come together,
// then the smaller ones to the greater ones that they would lie under.
function gathered(towers, clusters) {
  const cells = new Map();
  for (const one of [...towers.map(asCluster), ...clusters]) {
    const cell = `${Math.floor(one.pixel.x / CLUSTER_PIXELS)}/${Math.floor(one.pixel.y / CLUSTER_PIXELS)}`;
    cells.set(cell, cells.has(cell) ? sum(cells.get(cell), one) : one);
  }
  const apart = [];
  for (const one of [...cells.values()].sort((first, second) => second.number - first.number)) {
    const over = apart.findIndex((other) => (
      other.pixel.distanceTo(one.pixel) < 0.8 * (radiusOf(other.number) + radiusOf(one.number))));
    if (over < 0) apart.push(one); else apart[over] = sum(apart[over], one);
  }
  return apart;
}

function drawTowers(map, layer, towers) {
  const spots = new Map();
  for (const tower of towers) {
    const spot = `${tower.pixel.x},${tower.pixel.y}`;
    if (!spots.has(spot)) spots.set(spot, []);
    spots.get(spot).push(tower);
  }
  for (const here of spots.values()) {
    const { id, place } = here[0];
    const worst = CONDITIONS.find((name) => here.some((tower) => tower.condition === name));
    const drawn = sign(worst, here.some((tower) => tower.overdue));
    drawn.dataset.towers = here.map((tower) => tower.id).join(" ");
    const marker = L.marker(place, {
      icon: L.divIcon({ html: drawn, className: "", iconSize: [24, 24] }),
      alt: conditionTexts()[worst], title: conditionTexts()[worst],
      zIndexOffset: 1000 * (CONDITIONS.length - CONDITIONS.indexOf(worst)),
    });
    whenChosen(marker, (byKeyboard) => (here.length > 1
      ? showChoice(map, place, here, byKeyboard)
      : showTower(map, place, id, byKeyboard)));
    layer.addLayer(marker);
  }
}

function drawCluster(map, layer, cluster) {
  const place = L.CRS.EPSG3857.pointToLatLng(cluster.pixel, map.getZoom());
  const { box, size } = cluster.number > 1
    ? donut(numbersOf(cluster), cluster.number)
    : { box: sign(CONDITIONS.find((name) => cluster[name]), Boolean(cluster.overdue)), size: 24 };
  const marker = L.marker(place, {
    icon: L.divIcon({ html: box, className: "", iconSize: [size, size] }),
    alt: _("%(number)s towers", { number: number(cluster.number) }),
    title: CONDITIONS.filter((name) => cluster[name])
      .map((name) => `${conditionTexts()[name]}: ${number(cluster[name])}`).join("\n"),
  });
  whenChosen(marker, () => map.setView(place, Math.min(map.getZoom() + 2, 18)));
  layer.addLayer(marker);
}

// Draws everything that stands in the view, and answers with its numbers by condition.
export function drawView(map, layer, tiles) {
  layer.clearLayers();
  const view = map.getBounds().pad(0.1);
  const inView = (name) => tiles.all(name).filter((one) => view.contains(one.place));
  const [towers, clusters] = [inView("towers"), inView("clusters")];
  // What is drawn beyond the edge, so that nothing is missing there, is not counted.
  const seen = ({ place }) => map.getBounds().contains(place);
  const conditions = Object.fromEntries(CONDITIONS.map((name) => [name, 0]));
  for (const tower of towers.filter(seen)) conditions[tower.condition] += 1;
  for (const cluster of clusters.filter(seen)) {
    for (const [name, count] of Object.entries(numbersOf(cluster))) conditions[name] += count;
  }
  if (map.getZoom() >= NEAR_ZOOM || (towers.length <= MOST_SIGNS && !clusters.length)) {
    drawTowers(map, layer, towers);
    return conditions;
  }
  const dangerous = towers.filter((tower) => tower.condition === "dangerous");
  // All of a view or none of them: else danger would seem to be where tiles have but a few.
  const apart = dangerous.length <= MOST_DANGEROUS && !clusters.some((one) => one.dangerous);
  for (const one of gathered(apart ? towers.filter((tower) => tower.condition !== "dangerous") : towers, clusters)) {
    if (one.tower) drawTowers(map, layer, [one.tower]); else drawCluster(map, layer, one);
  }
  if (apart) drawTowers(map, layer, dangerous);
  return conditions;
}

// A query about a day that is over, or about today without one.
function ofDay(query, day) {
  if (day) query.set("on", day); else query.delete("on");
  return query;
}

// The towers on the map, drawn anew for every view: `drawn` is told their numbers by condition, and
// what was asked.
export function towerLayer(map, query, { drawn = () => {}, status, ...options }) {
  const signs = L.layerGroup();
  const tiles = new TowerTiles(query, options);
  let slow = null;
  let failed = false;
  const draw = () => { if (map.hasLayer(tiles)) drawn(drawView(map, signs, tiles), tiles.query); };
  const again = () => { failed = false; status(""); tiles.redraw(); };
  tiles.on("loading", () => {
    window.clearTimeout(slow);
    slow = window.setTimeout(() => { if (!failed) status(_("Loading…")); }, 400);
  });
  tiles.on("tileerror", () => { failed = true; status(_("The towers could not be loaded."), again); });
  tiles.on("load", () => {
    window.clearTimeout(slow);
    if (!failed) status("");
    draw();
  });
  tiles.on("remove", () => signs.clearLayers());
  map.on("pastday", ({ day }) => {
    tiles.query = ofDay(new URLSearchParams(tiles.query), day).toString();
    if (map.hasLayer(tiles)) again();
  });
  map.on("moveend", () => {
    if (tiles._tileZoom === undefined) signs.clearLayers();
    else if (!tiles.isLoading()) draw();
  });
  return L.layerGroup([signs, tiles]);
}

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
  const layer = L.layerGroup();
  const filters = new URLSearchParams(window.location.search);

  // The page around the map says how many of how many are shown; only of the last view.
  let views = 0;
  let told = null;
  const say = () => { if (told) window.parent.postMessage(told, window.location.origin); };
  async function tell(conditions, query) {
    const view = ++views;
    const shown = Object.values(conditions).reduce((all, count) => all + count, 0);
    const counts = await load(`/tiles/towers/counts.json?${query}`);
    if (view !== views) return;
    told = { shown, ...counts, conditions };
    say();
    map.fire("towerscounted", { counts });
  }

  window.addEventListener("message", ({ origin, source, data }) => {
    if (origin === window.location.origin && source === window.parent && data?.ask === "counts") say();
  });

  let status = () => {};
  const said = (conditions, query) => tell(conditions, query).catch(() => (
    status(_("The towers could not be loaded."), () => { status(""); said(conditions, query); })));
  const found = (query) => towerLayer(map, query, {
    status: (...words) => status(...words), drawn: said,
  });

  ready.then(async () => {
    status = statusControl(map);
    const kept = keptPlace();
    const fit = async () => {
      try {
        const { box } = await load(`/map/extent.json?${filters}`);
        if (box) map.fitBounds([[box[1], box[0]], [box[3], box[2]]], { padding: [20, 20], maxZoom: 14, animate: false });
      } catch {
        status(_("The towers could not be loaded."), begin);
        return false;
      }
      return true;
    };
    const begin = async () => {
      if (kept) map.setView(kept.centre, kept.zoom);
      else if (!await fit()) return;
      status("");
      layer.clearLayers();
      layer.addLayer(found(filters.toString()));
      layer.addTo(map);
      map.fire("begun");
    };
    map.on("moveend", () => keepPlace(map));
    map.on("pastday", ({ day }) => ofDay(filters, day));
    await begin();
  });
  offer(layer, () => _("Towers by condition"), "towers");
  offerPresets(map, layer, filters, found);
  return layer;
}
