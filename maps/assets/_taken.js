// A map that was taken along: its towers stand in the document, and so does what it says of itself.
import { CONDITIONS } from "core/conditions";
import { held, hold } from "core/held";
import { _, number, ready } from "core/texts";
import { offer } from "./_base.js";
import { element } from "./_elements.js";
import { conditionTexts, sign } from "./_signs.js";
import { drawView } from "./_towers.js";

const { L } = window;

// A tower as popups know it, from a row of the document.
function towerOf(row, { columns, communes, owners }) {
  const told = Object.fromEntries(columns.map((name, index) => [name, row[index]]));
  const named = (names, index) => (index === null ? null : { name: names[index] });
  return { ...told, commune: named(communes, told.commune), owner: named(owners, told.owner), taken: true };
}

function head({ title, about, day }, towers) {
  const counts = CONDITIONS.map((name) => [name, towers.filter((one) => one.condition === name).length]);
  const legend = element("ul", {}, counts.map(([name, count]) => (
    element("li", {}, [sign(name), element("span", { text: conditionTexts()[name] }), element("b", { text: number(count) })]))));
  const facts = about.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]);
  return element("header", { class: "taken" }, [
    element("h1", { text: title }),
    element("p", { class: "number", text: `${_("%(number)s towers", { number: number(towers.length) })} · ${day}` }),
    legend,
    element("details", {}, [element("summary", { text: _("About this map") }), element("dl", {}, facts)]),
  ]);
}

export function addTakenTowers(map) {
  const signs = L.layerGroup().addTo(map);
  ready.then(() => {
    const taken = held("towers");
    const towers = taken.rows.map((row) => towerOf(row, taken));
    const placed = towers.map((tower, id) => {
      hold(`/map/towers/${id}.json`, tower);
      return { id, condition: tower.condition, overdue: tower.overdue, place: L.latLng(tower.latitude, tower.longitude) };
    });
    const above = head(taken, towers);
    document.body.prepend(above);
    above.querySelector("details").addEventListener("toggle", () => map.invalidateSize());
    map.invalidateSize();

    const tiles = { all: (name) => (name === "towers" ? placed : []) };
    const draw = () => {
      if (!map.hasLayer(signs)) return;
      for (const one of placed) one.pixel = map.project(one.place);
      drawView(map, signs, tiles);
    };
    map.on("moveend", draw);
    signs.on("add", draw);
    if (placed.length) map.fitBounds(L.latLngBounds(placed.map((one) => one.place)), { padding: [24, 24], maxZoom: 14, animate: false });
    draw();
  });
  return offer(signs, () => _("Towers by condition"));
}
