// The towers of a campaign by where they stand.
import { _, number, ready } from "core/texts";
import { boxText, element, load, statusControl } from "./_elements.js";
import { showTower, whenChosen } from "./_popups.js";
import { donut } from "./_signs.js";

const { L } = window;

const STANDINGS = ["overdue", "unassigned", "assigned", "done"];
const STANDING_COLOURS = { overdue: "#b3261e", unassigned: "#5b6472", assigned: "#0b5cad", done: "#0b7a5b" };
// Signs beside the colours, for those who cannot tell these apart.
const STANDING_SIGNS = { overdue: "!", unassigned: "?", assigned: "•", done: "✓" };
const standingTexts = () => ({
  overdue: _("Overdue"), unassigned: _("Not assigned"), assigned: _("Assigned"), done: _("Done"),
});

function standingSign(name) {
  const made = element("div", { class: "standing", text: STANDING_SIGNS[name] });
  made.style.background = STANDING_COLOURS[name];
  return made;
}

function standingLegend(map) {
  const legend = L.control({ position: "bottomright" });
  legend.onAdd = () => element("div", { class: "status" }, STANDINGS.map((name) => (
    element("div", { class: "standing-line" }, [standingSign(name), element("span", { text: standingTexts()[name] })]))));
  legend.addTo(map);
}

export function addCampaignTowers(map) {
  const layer = L.layerGroup().addTo(map);
  const campaign = window.location.pathname.split("/").pop();
  let running = null;
  let status = () => {};
  let looked = false;

  function draw(data) {
    layer.clearLayers();
    for (const [id, x, y, standing] of data.towers || []) {
      const marker = L.marker([y, x], {
        icon: L.divIcon({ html: standingSign(standing), className: "", iconSize: [22, 22] }),
        alt: standingTexts()[standing], title: standingTexts()[standing],
        zIndexOffset: 1000 * (STANDINGS.length - STANDINGS.indexOf(standing)),
      });
      whenChosen(marker, (byKeyboard) => showTower(map, [y, x], id, byKeyboard));
      layer.addLayer(marker);
    }
    for (const cluster of data.clusters || []) {
      const { box, size } = donut(cluster.standings, cluster.number, STANDINGS, STANDING_COLOURS);
      const marker = L.marker([cluster.y, cluster.x], {
        icon: L.divIcon({ html: box, className: "", iconSize: [size, size] }),
        alt: _("%(number)s towers", { number: number(cluster.number) }),
        title: STANDINGS.filter((name) => cluster.standings[name])
          .map((name) => `${standingTexts()[name]}: ${number(cluster.standings[name])}`).join("\n"),
      });
      whenChosen(marker, () => map.setView([cluster.y, cluster.x], Math.min(map.getZoom() + 2, 18)));
      layer.addLayer(marker);
    }
  }

  async function refresh() {
    if (running) running.abort();
    running = new AbortController();
    const { signal } = running;
    const query = new URLSearchParams({ bbox: boxText(map), zoom: String(map.getZoom()) });
    try {
      const data = await load(`/map/campaigns/${campaign}.json?${query}`, { signal });
      if (!looked && data.box) {
        looked = true;
        const [west, south, east, north] = data.box;
        const before = map.getBounds();
        map.fitBounds([[south, west], [north, east]], { padding: [24, 24], maxZoom: 14, animate: false });
        // Another view asks by itself.
        if (!before.equals(map.getBounds())) return;
      }
      draw(data);
      status("");
    } catch (error) {
      if (error.name !== "AbortError") status(_("The towers could not be loaded."), refresh);
    }
  }

  ready.then(() => {
    status = statusControl(map);
    standingLegend(map);
    map.on("moveend", refresh);
    refresh();
  });
  return layer;
}
