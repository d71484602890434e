// The layers beside "Towers by condition": the same towers narrowed by what people look for. One of
// them is shown at a time, and only that one is asked for.
import { _, number } from "core/texts";
import { offer } from "./_base.js";

const { L } = window;

// What the page around the map says of its days; a map elsewhere has no such layers.
const given = () => window.frameElement?.dataset || {};

const PRESETS = [
  { key: "open", name: () => _("Open violations"), asks: () => [["severity", "critical"], ["severity", "major"], ["severity", "minor"]] },
  { key: "overdue", name: () => _("Overdue"), asks: () => [["overdue", "1"]] },
  {
    key: "due",
    name: () => _("Due for inspection within %(days)s days", { days: number(Number(given().dueDays)) }),
    asks: () => [["inspection_due_before", given().dueBefore]],
  },
];

// A filter of the page is kept: it says already what is looked for.
function narrowed(filters, asks) {
  const query = new URLSearchParams(filters);
  for (const [name, value] of asks) if (!filters.get(name)) query.append(name, value);
  return query.toString();
}

export function offerPresets(map, usual, filters, make) {
  if (!given().dueBefore) return;
  const group = [usual];
  for (const { key, name, asks } of PRESETS) {
    const layer = L.layerGroup();
    layer.on("add", () => { if (!layer.getLayers().length) layer.addLayer(make(narrowed(filters, asks()))); });
    group.push(offer(layer, name, key));
  }
  map.on("overlayadd", ({ layer }) => {
    if (!group.includes(layer)) return;
    // Once the switch has done what it was asked for, it sees that the others are gone: it makes
    // its boxes anew then, and whoever uses the keyboard goes on at the same one.
    window.setTimeout(() => {
      const boxes = () => [...map.getContainer().querySelectorAll(".leaflet-control-layers-selector")];
      const place = boxes().indexOf(document.activeElement);
      for (const other of group) if (other !== layer) map.removeLayer(other);
      boxes()[place]?.focus();
    });
  });
}
