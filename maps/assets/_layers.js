// Layers that the department has loaded: vector tiles drawn on canvas, their names above everything.
import { VectorTile } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";
import { _, ready } from "core/texts";
import { offer } from "./_base.js";
import { load } from "./_elements.js";
import { nameAt } from "./_names.js";
import { offerArchive, offerTileServer } from "./_pictures.js";
import { saySource } from "./_sources.js";

const { L } = window;
const PIXELS = 256;
// More names than this cannot be read.
const MOST_NAMES = 60;
const LETTER = 7;
const LINE = 16;
// The same name again only this far away: a river is a chain of features.
const AGAIN = 260;
// Widths of lines by the zoom from which they hold.
const WIDTHS = { river: [[0, 0.8], [9, 1.4], [12, 2.4]], road: [[0, 0.8], [10, 1.4], [14, 2.6]], border: [[0, 0.8], [10, 1.2]] };

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--map-${name}`);
const widthOf = (kind, zoom) => WIDTHS[kind].findLast(([from]) => zoom >= from)[1];

function features(layer) {
  return Array.from({ length: layer?.length || 0 }, (_unused, index) => {
    const feature = layer.feature(index);
    return { ...feature.properties, surface: feature.type === 3, lines: feature.loadGeometry(), extent: feature.extent };
  });
}

const BaseTiles = L.GridLayer.extend({
  createTile(coords, done) {
    const canvas = L.DomUtil.create("canvas", "base-tile");
    canvas.stop = new AbortController();
    canvas.zoom = coords.z;
    Object.assign(canvas, { shapes: [], names: [] });
    fetch(`/tiles/base/${coords.z}/${coords.x}/${coords.y}.mvt?v=${this.options.version}`, { signal: canvas.stop.signal })
      .then(async (answer) => {
        if (!answer.ok) throw new Error(`${answer.status}`);
        const { layers } = new VectorTile(new PbfReader(new Uint8Array(await answer.arrayBuffer())));
        canvas.shapes = features(layers.shapes);
        canvas.names = features(layers.names).map(({ kind, name, lines: [[point]], extent }) => ({
          kind, name, pixel: L.point(coords.x + point.x / extent, coords.y + point.y / extent).multiplyBy(PIXELS),
        }));
        paint(canvas);
        done(null, canvas);
      })
      .catch((error) => { if (error.name !== "AbortError") done(error, canvas); });
    return canvas;
  },

  canvases() {
    return Object.values(this._tiles).map(({ el }) => el);
  },
});

function paint(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = canvas.height = PIXELS * ratio;
  const pen = canvas.getContext("2d");
  pen.lineJoin = "round";
  pen.lineCap = "round";
  for (const { kind, surface, lines, extent } of canvas.shapes) {
    const scale = (PIXELS * ratio) / extent;
    pen.beginPath();
    for (const line of lines) line.forEach(({ x, y }, index) => (index ? pen.lineTo(x * scale, y * scale) : pen.moveTo(x * scale, y * scale)));
    pen.strokeStyle = pen.fillStyle = colourOf(kind);
    pen.lineWidth = (surface ? 1 : widthOf(kind, canvas.zoom)) * ratio;
    pen.setLineDash(kind === "border" ? [5 * ratio, 4 * ratio] : []);
    if (surface) pen.fill("evenodd");
    pen.stroke();
  }
}

// The names of a view of which none lies over another one.
function apart(names) {
  const taken = [];
  for (const one of names) {
    const half = (one.name.length * LETTER) / 2;
    const hidden = taken.some((other) => (
      (Math.abs(other.pixel.y - one.pixel.y) < LINE && Math.abs(other.pixel.x - one.pixel.x) < half + other.half)
      || (other.name === one.name && other.pixel.distanceTo(one.pixel) < AGAIN)));
    if (!hidden) taken.push({ ...one, half });
    if (taken.length === MOST_NAMES) break;
  }
  return taken;
}

export function addBaseLayers(map) {
  map.createPane("layers").style.zIndex = 255;
  const layer = L.layerGroup();
  Promise.all([ready, load("/map/base.json")]).then(([, { layers, version, tiles: server }]) => {
    if (server) offerTileServer(map, server);
    const archive = layers.findLast(({ kind }) => kind === "pictures");
    if (archive) offerArchive(map, archive);
    const drawn = layers.filter(({ kind }) => kind !== "pictures");
    if (!drawn.length) return;
    const names = L.layerGroup();
    const tiles = new BaseTiles({ pane: "layers", version, noWrap: true, bounds: [[-85.06, -180], [85.06, 180]], updateWhenIdle: true });
    tiles.on("tileunload", ({ tile }) => tile.stop.abort());
    tiles.on("load", () => {
      names.clearLayers();
      const zoom = map.getZoom();
      const found = tiles.canvases().filter((one) => one.zoom === zoom).flatMap((one) => one.names);
      for (const { kind, name, pixel } of apart(found)) names.addLayer(nameAt(map, map.unproject(pixel, zoom), name, `${kind}-name`));
    });
    map.on("zoomstart", () => names.clearLayers());
    window.addEventListener("themechange", () => tiles.canvases().forEach(paint));
    layer.addLayer(tiles).addLayer(names);
    offer(layer, () => _("Rivers, roads and places"), "base");
    for (const one of drawn) saySource(map, `${one.name}: ${[one.source, one.licence].filter(Boolean).join(", ")}`);
  });
  return layer;
}
