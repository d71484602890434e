// Where the towers of a near view are expected to fall: rings in metres, by the condition of the tower.
import { _, number, ready } from "core/texts";
import { offer } from "./_base.js";
import { boxText, load, statusControl } from "./_elements.js";

const { L } = window;
// Farther away a ring is smaller than the sign of its tower.
const NEAR_ZOOM = 15;

function said({ zones, total, unknown }) {
  const facts = [_("Expected influence zones: %(drawn)s of %(total)s towers in view", {
    drawn: number(zones.length), total: number(total),
  })];
  if (unknown) facts.push(_("%(number)s without a known height", { number: number(unknown) }));
  if (zones.length + unknown < total) facts.push(_("zoom in for the others"));
  return `${facts.join(" · ")}. ${_("An expectation, not a legal corridor.")}`;
}

// Nothing is asked while the layer is hidden.
export function addFallZones(map) {
  const layer = L.layerGroup();
  const filters = window.location.search.slice(1);
  let running = null;
  let status = () => {};

  function draw({ zones }) {
    layer.clearLayers();
    for (const [x, y, metres, condition] of zones) {
      layer.addLayer(L.circle([y, x], {
        radius: metres, interactive: false, className: `fall-zone ${condition}`, weight: 2, dashArray: "6 5",
      }));
    }
  }

  async function refresh() {
    running?.abort();
    if (!map.hasLayer(layer)) return;
    if (map.getZoom() < NEAR_ZOOM) {
      layer.clearLayers();
      status(_("Zoom in to see the expected influence zones."));
      return;
    }
    running = new AbortController();
    try {
      const found = await load(`/map/fall-zones.json?${filters}&bbox=${boxText(map)}`, { signal: running.signal });
      draw(found);
      status(said(found));
    } catch (error) {
      if (error.name !== "AbortError") status(_("The influence zones could not be loaded."), refresh);
    }
  }

  ready.then(() => {
    map.on("moveend", refresh);
    layer.once("add", () => { status = statusControl(map, "bottomleft"); });
    layer.on("add", refresh);
    layer.on("remove", () => { running?.abort(); layer.clearLayers(); status(""); });
  });
  return offer(layer, () => _("Expected influence zones"), "zones");
}
