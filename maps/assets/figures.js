// Communes coloured by a figure of the statistics, with a legend that says what of how many.
import { _, number, ready } from "core/texts";
import { drawing, element, language } from "./_elements.js";

const { L } = window;
// From pale to dark, told apart without colour and on paper; dark is what there is much of.
const BAD = ["#ffffd4", "#fed98e", "#fe9929", "#d95f0e", "#993404"];
const GOOD = ["#f1eef6", "#bdc9e1", "#74a9cf", "#2b8cbe", "#045a8d"];
const COLOURS = { critical: BAD, overdue: BAD, inspected: GOOD };
const FEW = "url(#figure-few)";
const NONE = "#ffffff";
const OPACITY = 0.85;
// From this zoom on there is room for the value of each commune.
const NEAR = 10;

const written = (value) => new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value);
const valueText = (key, value) => (key === "critical" ? written(value) : `${written(value)} %`);
const partText = (key, { part, whole }) => (key === "critical"
  ? _("%(part)s on %(whole)s towers", { part: number(part), whole: number(whole) })
  : _("%(part)s of %(whole)s", { part: number(part), whole: number(whole) }));

// A figure with its denominator; of too few only the count.
function saying(key, ratio) {
  if (!ratio || !ratio.whole) return "–";
  if (ratio.value === null) return `${partText(key, ratio)} (${_("too few for a percentage")})`;
  const unit = key === "critical" ? ` ${_("per 100 towers")}` : "";
  return `${valueText(key, ratio.value)}${unit} (${partText(key, ratio)})`;
}

// Fewer classes are as far apart from each other as five.
const shade = (figure, place) => {
  const last = figure.classes.length - 1;
  return COLOURS[figure.key][last ? Math.round((4 * place) / last) : 2];
};

function fillOf(figure, commune) {
  const ratio = commune && commune[figure.key];
  if (!ratio || !ratio.whole) return NONE;
  return ratio.value === null ? FEW : shade(figure, ratio.class);
}

function hatching() {
  return drawing("svg", { width: 0, height: 0, class: "hatching", "aria-hidden": "true" }, [
    drawing("defs", {}, [
      drawing("pattern", { id: "figure-few", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, [
        drawing("rect", { width: 8, height: 8, fill: NONE }),
        drawing("rect", { width: 2, height: 8, fill: "#6b7782" }),
      ]),
    ]),
  ]);
}

function swatch(fill) {
  return drawing("svg", { width: 26, height: 16, class: "swatch", "aria-hidden": "true" }, [
    drawing("rect", { x: 0.5, y: 0.5, width: 25, height: 15, fill, "fill-opacity": OPACITY, stroke: "#4b5a66" }),
  ]);
}

const line = (fill, text, count) => element("li", {}, [
  swatch(fill), element("span", { text }), element("span", { class: "count", text: number(count) }),
]);

function legendLines(figure, data, shapes) {
  const known = new Set(shapes.features.map((one) => one.properties.id));
  const drawn = data.communes.filter((one) => known.has(one.id));
  const of = drawn.map((one) => one[figure.key]);
  const lines = figure.classes.map(({ low, high }, place) => line(
    shade(figure, place),
    low === high ? valueText(figure.key, low) : `${valueText(figure.key, low)} – ${valueText(figure.key, high)}`,
    of.filter((one) => one.class === place).length,
  ));
  const few = of.filter((one) => one.whole && one.value === null).length;
  if (few) {
    lines.push(line(FEW, figure.key === "overdue"
      ? _("Fewer than %(least)s open violations", { least: number(data.least) })
      : _("Fewer than %(least)s towers", { least: number(data.least) }), few));
  }
  const none = shapes.features.length - of.filter((one) => one.whole).length;
  if (none) {
    lines.push(line(NONE, figure.key === "overdue"
      ? _("No open violation that you may see") : _("No tower that you may see"), none));
  }
  return lines;
}

function notes(figure, data) {
  const found = [];
  if (data.left_out) found.push(_("Filters by state, severity and deadline do not narrow these figures."));
  if (data.outside) found.push(_("%(number)s towers stand outside all communes.", { number: number(data.outside) }));
  return found.map((text) => element("p", { text }));
}

function legendBox(data, shapes, choose) {
  const select = element("select", { "aria-label": _("Figure") });
  for (const figure of data.figures) select.append(new Option(figure.name, figure.key));
  const body = element("div");
  const box = element("details", { class: "status figures-legend", open: "" }, [
    element("summary", { text: _("Communes by figure") }), select, body,
  ]);
  if (window.innerWidth < 500) box.removeAttribute("open");
  const show = (figure) => {
    select.value = figure.key;
    const unit = figure.key === "critical" ? _("Number per 100 towers · communes") : _("Share · communes");
    const statistics = `/statistics?${new URLSearchParams([...new URLSearchParams(window.location.search), ["by", "commune"]])}`;
    const parts = shapes.features.length ? [
      element("p", { class: "unit", text: unit }),
      element("ul", {}, legendLines(figure, data, shapes)),
      element("p", { class: "whole", text: _("All: %(figure)s", { figure: saying(figure.key, figure.whole) }) }),
    ] : [element("p", { text: _("No boundaries of communes are loaded: there is nothing to colour.") })];
    if (!figure.whole.whole) parts.push(element("p", { class: "whole", text: _("There is nothing to count yet") }));
    body.replaceChildren(
      ...parts, ...notes(figure, data),
      element("details", {}, [element("summary", { text: _("Definition") }), element("p", { text: figure.definition })]),
      element("a", { href: `${statistics}#groups`, target: "_top", text: _("The numbers as a table") }),
    );
  };
  select.addEventListener("change", () => choose(select.value));
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  return { box, show };
}

function about(data, name, commune) {
  const list = element("dl");
  for (const { key, name: figure } of data.figures) {
    list.append(element("dt", { text: figure }), element("dd", { text: saying(key, commune && commune[key]) }));
  }
  const parts = [element("h3", { text: name }), list];
  if (commune) {
    list.prepend(element("dt", { text: _("Towers") }), element("dd", { text: number(commune.towers) }));
    parts.push(element("a", { href: `/towers?commune=${encodeURIComponent(commune.code)}`, target: "_top", text: _("The towers of this commune") }));
  } else {
    parts.push(element("p", { text: _("No tower that you may see") }));
  }
  return element("div", { class: "popup" }, parts);
}

// Draws the communes; `recolour` colours them by another figure.
function drawn(map, layer, data, shapes) {
  const known = new Map(data.communes.map((one) => [one.id, one]));
  let figure = data.figures[0];
  const values = L.layerGroup();
  const communes = L.geoJSON(shapes, {
    pane: "figures",
    style: { color: "#4b5a66", weight: 1, fillOpacity: OPACITY },
    onEachFeature: ({ properties: { id, name } }, one) => {
      const commune = known.get(id);
      const said = () => saying(figure.key, commune && commune[figure.key]);
      one.bindTooltip(() => element("div", { class: "figure-tip" }, [
        element("strong", { text: name }), element("div", { text: `${figure.name}: ${said()}` }),
      ]), { sticky: true });
      one.bindPopup(() => about(data, name, commune), { minWidth: 300 });
      one.on("popupopen", () => one.closeTooltip());
      one.on("add", () => {
        const path = one.getElement();
        path.setAttribute("tabindex", "0");
        path.setAttribute("role", "button");
        path.setAttribute("aria-label", `${name}: ${figure.name}: ${said()}`);
        path.addEventListener("keydown", (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          one.openPopup(one.getCenter());
        });
      });
    },
  });
  function label() {
    values.clearLayers();
    if (map.getZoom() < NEAR) return;
    communes.eachLayer((one) => {
      const commune = known.get(one.feature.properties.id);
      const ratio = commune && commune[figure.key];
      if (!ratio || !ratio.whole) return;
      const text = ratio.value === null ? `${ratio.part}/${ratio.whole}` : valueText(figure.key, ratio.value);
      values.addLayer(L.marker(one.getCenter(), {
        pane: "figure-values", interactive: false, keyboard: false,
        icon: L.divIcon({ html: element("b", { text }), className: "figure-value", iconSize: [60, 16], iconAnchor: [30, -4] }),
      }));
    });
  }
  const recolour = (key) => {
    figure = data.figures.find((one) => one.key === key) || figure;
    communes.eachLayer((one) => {
      const commune = known.get(one.feature.properties.id);
      one.setStyle({ fillColor: fillOf(figure, commune) });
      const path = one.getElement();
      if (path) path.setAttribute("aria-label", `${one.feature.properties.name}: ${figure.name}: ${saying(figure.key, commune && commune[figure.key])}`);
    });
    label();
    return figure;
  };
  layer.addLayer(communes);
  layer.addLayer(values);
  return { recolour, label };
}

export async function begin(map, layer, { load }) {
  await ready;
  for (const [name, height] of [["figures", 260], ["figure-values", 550]]) {
    if (!map.getPane(name)) map.createPane(name).style.zIndex = height;
  }
  const legend = L.control({ position: "bottomleft" });
  let chosen = "critical";
  let now = null;
  const fill = async () => {
    const [data, shapes] = await Promise.all([
      load(`/map/figures.json${window.location.search}`), load("/map/communes.geojson"),
    ]);
    if (!map.hasLayer(layer)) return;
    layer.clearLayers();
    now = drawn(map, layer, data, shapes);
    const choose = (key) => { chosen = key; box.show(now.recolour(key)); };
    const box = legendBox(data, shapes, choose);
    legend.remove();
    legend.onAdd = () => box.box;
    legend.addTo(map);
    choose(chosen);
  };
  if (!document.querySelector("svg.hatching")) document.body.append(hatching());
  await fill();
  layer.on("remove", () => legend.remove());
  // Shown again, the figures are those of now.
  layer.on("add", () => fill().catch(() => legend.remove()));
  map.on("zoomend", () => { if (map.hasLayer(layer)) now.label(); });
}
