// Where dangerous towers and those to be mended stand close together, from the numbers on the tiles.
import simpleheat from "simpleheat";
import { _, number, ready } from "core/texts";
import { element } from "./_elements.js";

const { L } = window;
const BAD = ["dangerous", "assessment_needed", "needs_follow_up"];
// Pale to dark, as for the figures of communes.
const GRADIENT = { 0.25: "#ffffd4", 0.45: "#fed98e", 0.65: "#fe9929", 0.82: "#d95f0e", 1: "#993404" };
// Darkest is the fullest square of so many pixels; a cell of a tile is as large.
const SQUARE = 64;
const RADIUS = 34;
const BLUR = 26;
// How much of one tower alone is seen.
const LEAST = 0.12;

const weightOf = (one) => (one.number ? BAD.reduce((sum, name) => sum + (one[name] || 0), 0) : Number(BAD.includes(one.condition)));

// A canvas over the view, painted anew when it stands still.
const Painting = L.Layer.extend({
  onAdd(map) {
    this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-hide heat", map.getPane("heat"));
    // The painter reads what it has painted.
    this.canvas.getContext("2d", { willReadFrequently: true });
  },
  onRemove() { this.canvas.remove(); },

  // Paints places with their weights and says which weight is the darkest.
  paint(map, places) {
    const { x: width, y: height } = map.getSize();
    // A map that nobody sees has no size, and nothing can be painted on it.
    if (!width || !height) return 0;
    Object.assign(this.canvas, { width, height });
    L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
    const squares = new Map();
    const points = places.map(({ place, weight }) => {
      const { x, y } = map.latLngToContainerPoint(place);
      const square = `${Math.floor(x / SQUARE)}/${Math.floor(y / SQUARE)}`;
      if (x >= 0 && y >= 0 && x < width && y < height) squares.set(square, (squares.get(square) || 0) + weight);
      return [x, y, weight];
    });
    const most = Math.max(0, ...squares.values());
    // What lies beyond the view may weigh more than anything in it.
    const shown = points.map(([x, y, weight]) => [x, y, Math.min(weight, most || 1)]);
    simpleheat(this.canvas).radius(RADIUS, BLUR).gradient(GRADIENT).max(most || 1).data(shown).draw(LEAST);
    return most;
  },
});

function kilometres(map) {
  const middle = map.getSize().divideBy(2);
  const metres = map.distance(map.containerPointToLatLng(middle), map.containerPointToLatLng(middle.add([SQUARE, 0])));
  return metres < 1000 ? `${number(Math.round(metres))} m` : `${number(Number((metres / 1000).toPrecision(2)))} km`;
}

export async function begin(map, layer, { tiles }) {
  await ready;
  if (!map.getPane("heat")) Object.assign(map.createPane("heat").style, { zIndex: 350, pointerEvents: "none" });
  const painting = new Painting();
  const ramp = element("div", { class: "ramp", "aria-hidden": "true" });
  const most = element("div", { role: "status" });
  const box = element("div", { class: "status heat-legend" }, [
    element("strong", { text: _("Density of towers to be mended") }),
    element("div", { text: _("Dangerous, or needing an assessment or follow-up") }), ramp, most,
  ]);
  const legend = L.control({ position: "bottomleft" });
  legend.onAdd = () => box;
  const show = () => {
    if (!map.hasLayer(painting) || tiles.isLoading()) return;
    const places = [...tiles.all("clusters"), ...tiles.all("towers")]
      .map((one) => ({ place: one.place, weight: weightOf(one) })).filter(({ weight }) => weight);
    const fullest = painting.paint(map, places);
    ramp.hidden = !fullest;
    most.textContent = fullest
      ? _("Darkest: %(number)s towers within %(width)s", { number: number(fullest), width: kilometres(map) })
      : _("There is no such tower in view.");
  };
  const failed = () => { most.textContent = _("The towers could not be loaded."); };
  tiles.on("load", show);
  tiles.on("tileerror", failed);
  map.on("moveend resize", show);
  layer.on("add", () => legend.addTo(map));
  layer.on("remove", () => legend.remove());
  if (!map.hasLayer(layer)) return;
  legend.addTo(map);
  layer.addLayer(painting);
  layer.addLayer(tiles);
}
