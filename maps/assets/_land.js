// Land and sea, borders of the countries around, and the outline of the province.
import { feature } from "topojson-client";
import { dist } from "core/dist";
import { _, ready } from "core/texts";
import { load } from "./_elements.js";
import { between, nameAt } from "./_names.js";
import { saySource } from "./_sources.js";

const { L } = window;

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
  const layer = L.geoJSON(null, { pane: "land", interactive: false, style: { weight: 1, className: "land" } }).addTo(map);
  load(`${dist}/land.json`).then((topology) => layer.addData(wholeLand(topology)));
  ready.then(() => saySource(map, _("Land and borders: Natural Earth")));
  return layer;
}

// Land borders of Vietnam and its neighbours, and the outline of the province with its name.
export function addBorders(map) {
  map.createPane("borders").style.zIndex = 260;
  const line = (className) => ({ pane: "borders", interactive: false, style: { weight: 2, fill: false, className } });
  const far = L.layerGroup().addTo(map);
  load(`${dist}/borders.json`).then((borders) => far.addLayer(L.geoJSON(borders, line("border"))));
  load("/map/provinces.geojson").then((provinces) => {
    if (!provinces.features.length) return;
    // The outline is made for looking from afar; near, the communes say it better.
    between(map, L.geoJSON(provinces, line("province")), 0, 12);
    const names = provinces.features.map(({ properties }) => nameAt(map, properties.label, properties.name, "province-name", { pane: "borders" }));
    between(map, L.layerGroup(names), 7, 9);
  });
  return far;
}
