// What the map documents call: each function adds one layer or control. Every text from data is
// set with textContent; nothing is ever parsed as markup.
import { feature } from "topojson-client";
import { COLOURS, CONDITIONS } from "core/conditions";
import { _, number, ready } from "core/texts";

const { L } = window;
const layers = [];
const SVG = "http://www.w3.org/2000/svg";
const language = document.documentElement.lang || "vi";

export function element(name, properties = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "text") made.textContent = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function drawing(name, attributes, children = []) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function sign(condition, late = false) {
  const box = drawing("svg", { viewBox: "0 0 16 16", class: late ? "sign late" : "sign", "aria-hidden": "true" });
  box.append(drawing("use", { href: `/static/dist/icons.svg#condition-${condition}` }));
  return box;
}

const conditionTexts = () => ({
  dangerous: _("Dangerous"),
  assessment_needed: _("Load-safety assessment needed"),
  needs_follow_up: _("Needs follow-up"),
  ok: _("Satisfactory"),
  unchecked: _("Unchecked"),
});
const reasonTexts = () => ({
  never: _("never inspected"),
  incomplete: _("the last inspection is incomplete"),
  out_of_date: _("the last inspection is out of date"),
});

async function load(address, options) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, ...options });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

export function addScale(map) {
  L.control.scale({ imperial: false }).addTo(map);
  // The scale is added last: the other controls stand already.
  ready.then(() => nameControls(map));
}

// Leaflet's own controls speak English.
function nameControls(map) {
  const say = (selector, text) => {
    for (const one of map.getContainer().querySelectorAll(selector)) {
      one.title = text;
      one.setAttribute("aria-label", text);
    }
  };
  const sayAll = () => {
    say(".leaflet-control-zoom-in", _("Zoom in"));
    say(".leaflet-control-zoom-out", _("Zoom out"));
    say(".leaflet-control-layers-toggle", _("Layers"));
    say(".leaflet-popup-close-button", _("Close"));
  };
  map.on("popupopen", sayAll);
  sayAll();
}

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
  const layer = L.geoJSON(null, {
    pane: "land", interactive: false,
    style: { color: "#b9c3b4", weight: 1, fillColor: "#f4f3ec", fillOpacity: 1 },
  }).addTo(map);
  load("/static/dist/land.json").then((topology) => layer.addData(wholeLand(topology)));
  return layer;
}

export function addIslands(map) {
  load("/map/islands.json").then(({ islands }) => {
    for (const island of islands) {
      const name = element("div", { class: "island-name", text: language === "en" ? island.en : island.vi });
      L.marker([island.latitude, island.longitude], {
        interactive: false, keyboard: false,
        icon: L.divIcon({ html: name, className: "", iconSize: [240, 20] }),
      }).addTo(map);
    }
  });
}

export function addCommunes(map) {
  map.createPane("communes").style.zIndex = 250;
  const layer = L.geoJSON(null, {
    pane: "communes", interactive: false,
    style: { color: "#8798a5", weight: 1, dashArray: "4 3", fillColor: "#fdfdf9", fillOpacity: 0.75 },
    onEachFeature: (one, drawn) => {
      drawn.bindTooltip(() => element("span", { text: one.properties.name }), {
        permanent: true, direction: "center", className: "commune-name", interactive: false,
      });
    },
  }).addTo(map);
  const names = () => {
    const near = map.getZoom() >= 11;
    layer.eachLayer((drawn) => { if (near && map.hasLayer(layer)) drawn.openTooltip(); else drawn.closeTooltip(); });
  };
  Promise.all([ready, load("/map/communes.geojson")]).then(([, collection]) => {
    layer.addData(collection);
    names();
    if (collection.features.some((one) => one.properties.synthetic)) {
      const note = L.control({ position: "bottomright" });
      note.onAdd = () => element("div", { class: "synthetic-note", text: _("Synthetic boundaries, not the real ones") });
      note.addTo(map);
    }
  });
  map.on("zoomend", names);
  layers.push({ layer, name: () => _("Communes") });
  return layer;
}

// Towers

// Parts of a ring differ by their weave too, for those who cannot tell the colours apart: lengths of
// a dash and of the gap after it, in pixels; what is satisfactory is one plain stroke.
const WEAVES = { overdue: [9, 1], assigned: [3, 1.5], unassigned: [1, 1.5], dangerous: [9, 1], assessment_needed: [6, 2], needs_follow_up: [3, 1.5], unchecked: [1, 1.5] };

// The dashes of a stroke that covers this length of a ring and leaves out the rest.
function woven(name, length, round) {
  const weave = WEAVES[name];
  if (!weave || length < weave[0]) return `${length} ${round}`;
  const dashes = Math.max(1, Math.round(length / (weave[0] + weave[1])));
  const stretch = length / (dashes * (weave[0] + weave[1]));
  const pairs = Array(dashes).fill(weave.map((one) => one * stretch));
  return [...pairs.flat(), 0, round].join(" ");
}

export function donut(conditions, total, names = CONDITIONS, colours = COLOURS) {
  const radius = Math.min(32, 15 + 3.2 * Math.log10(total) * 1.6);
  const size = 2 * radius + 4;
  const box = drawing("svg", { width: size, height: size, viewBox: `0 0 ${size} ${size}`, class: "cluster" });
  const middle = size / 2;
  box.append(drawing("circle", { cx: middle, cy: middle, r: radius, fill: "#fff" }));
  const round = 2 * Math.PI * (radius - 3);
  let done = 0;
  for (const name of names) {
    const share = (conditions[name] || 0) / total;
    if (!share) continue;
    box.append(drawing("circle", {
      cx: middle, cy: middle, r: radius - 3, fill: "none", stroke: colours[name], "stroke-width": 6,
      "stroke-dasharray": woven(name, share * round, round), "stroke-dashoffset": -done * round,
      transform: `rotate(-90 ${middle} ${middle})`,
    }));
    done += share;
  }
  const text = drawing("text", { x: middle, y: middle, "text-anchor": "middle", "dominant-baseline": "central" });
  text.textContent = total < 10000 ? number(total) : `${Math.round(total / 1000)}k`;
  box.append(text);
  return { box, size };
}

function details(tower) {
  const condition = element("div", { class: "condition" }, [sign(tower.condition)]);
  const reason = tower.condition_reason ? ` (${reasonTexts()[tower.condition_reason]})` : "";
  condition.append(conditionTexts()[tower.condition] + reason);
  const facts = [
    [_("Commune"), tower.commune && tower.commune.name],
    [_("Owner"), tower.owner && tower.owner.name],
    [_("Open violations"), tower.open_violations ? number(tower.open_violations) : null],
    [_("Next deadline"), tower.next_deadline
      && tower.next_deadline.split("-").reverse().join("/") + (tower.overdue ? ` – ${_("overdue")}` : "")],
  ].filter(([, value]) => value);
  const list = element("dl");
  for (const [name, value] of facts) list.append(element("dt", { text: name }), element("dd", { text: value }));
  return element("div", { class: "popup" }, [
    element("h3", { text: `${tower.code} · ${tower.name}` }),
    condition,
    list,
    element("a", { href: `/towers/${encodeURIComponent(tower.code)}`, target: "_top", text: _("Open the tower") }),
  ]);
}

// A click or a tap, and Enter or Space on a sign that has the focus.
function whenChosen(marker, act) {
  marker.on("click", () => act(false));
  marker.on("keydown", ({ originalEvent }) => {
    if (originalEvent.key !== "Enter" && originalEvent.key !== " ") return;
    originalEvent.preventDefault();
    act(true);
  });
}

// The sign that was chosen may be drawn anew: by keyboard the focus goes on into the popup.
function focusInto(popup) {
  const element = popup.getElement();
  const first = element && element.querySelector(".popup a, .popup button");
  if (first) first.focus();
}

async function showTower(map, place, id, byKeyboard) {
  const popup = L.popup({ minWidth: 220 }).setLatLng(place).setContent(element("div", { text: _("Loading…") })).openOn(map);
  try {
    popup.setContent(details(await load(`/map/towers/${id}.json`)));
  } catch {
    popup.setContent(element("div", { text: _("This could not be loaded. Try again.") }));
  }
  if (byKeyboard) focusInto(popup);
}

function showChoice(map, place, towers, byKeyboard) {
  const list = element("div", { class: "popup" }, [
    element("h3", { text: _("%(number)s towers at this spot", { number: number(towers.length) }) }),
  ]);
  for (const [id, , , condition] of towers.slice(0, 50)) {
    const button = element("button", { type: "button" }, [sign(condition), ` ${conditionTexts()[condition]}`]);
    button.addEventListener("click", (event) => showTower(map, place, id, event.detail === 0));
    list.append(button);
  }
  const popup = L.popup({ minWidth: 220 }).setLatLng(place).setContent(list).openOn(map);
  if (byKeyboard) focusInto(popup);
}

function statusControl(map) {
  const box = element("div", { class: "status", role: "status", hidden: "" });
  const control = L.control({ position: "topleft" });
  control.onAdd = () => box;
  control.addTo(map);
  return (text, retry) => {
    box.replaceChildren();
    box.hidden = !text;
    if (!text) return;
    box.append(text);
    if (retry) {
      const button = element("button", { type: "button", text: _("Try again") });
      button.addEventListener("click", retry);
      box.append(" ", button);
    }
  };
}

// What is looked at and a little around it, as an address has it.
function boxText(map) {
  const bounds = map.getBounds().pad(0.1);
  const limited = (value) => Math.max(-720, Math.min(720, value)).toFixed(6);
  return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()].map(limited).join(",");
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
  layers.push({ layer, name: () => _("Towers by condition") });
  return layer;
}

export function addLayerSwitch(map) {
  ready.then(() => {
    const overlays = {};
    const control = L.control.layers(null, overlays, { position: "topright", collapsed: true });
    // The names are our own texts: Leaflet writes them as markup.
    for (const { layer, name } of layers) control.addOverlay(layer, name());
    control.addTo(map);
  });
}

// Round a tower: where it may fall, its ground, guys to their anchors, and its neighbours.
function drawSurroundings(map, place, around) {
  if (around.fall_zone) {
    const zone = L.geoJSON(around.fall_zone.geometry, {
      interactive: false, style: { color: "#b3261e", weight: 2, dashArray: "6 5", fillColor: "#b3261e", fillOpacity: 0.08 },
    }).addTo(map);
    map.fitBounds(zone.getBounds().pad(0.6), { maxZoom: 18, animate: false });
  }
  if (around.footprint) {
    L.geoJSON(around.footprint, { interactive: false, style: { color: "#0d3b52", weight: 2, fillOpacity: 0.15 } }).addTo(map);
  }
  for (const anchor of around.anchors) {
    const held = [anchor.latitude, anchor.longitude];
    const named = _("Anchor %(number)s", { number: anchor.number });
    L.polyline([place, held], { color: "#4b5a66", weight: 1.5, interactive: false }).addTo(map);
    L.circleMarker(held, { radius: 4, color: "#0d3b52", weight: 2, fillColor: "#fff", fillOpacity: 1 })
      .bindTooltip(() => element("span", { text: `${named} · ${number(anchor.distance_m)} m` }))
      .addTo(map);
  }
  for (const other of around.neighbours) {
    const marker = L.marker([other.latitude, other.longitude], {
      icon: L.divIcon({ html: sign(other.condition), className: "neighbour", iconSize: [18, 18] }),
      alt: other.code, zIndexOffset: -100,
    }).bindTooltip(() => element("span", { text: `${other.code} · ${number(other.metres)} m` })).addTo(map);
    whenChosen(marker, () => { window.top.location.assign(`/towers/${encodeURIComponent(other.code)}`); });
  }
}

export function addOneTower(map) {
  const code = window.location.pathname.split("/").pop();
  Promise.all([ready, load(`/map/places/${code}.json`), load(`/map/surroundings/${code}.json`)]).then(([, tower, around]) => {
    const place = [tower.latitude, tower.longitude];
    map.setView(place, 16, { animate: false });
    drawSurroundings(map, place, around);
    L.marker(place, {
      icon: L.divIcon({ html: sign(tower.condition, tower.overdue), className: "", iconSize: [24, 24] }),
      alt: conditionTexts()[tower.condition], keyboard: false,
    }).addTo(map);
  });
}

const ROW_COLOURS = { new: "#0b7a5b", changed: "#c26a00", duplicate: "#7a3e9d", suspicious: "#b3261e" };
const rowTexts = () => ({
  new: _("New"), changed: _("Changed"), duplicate: _("Probable duplicate"), suspicious: _("To be checked"),
});

export function addImportedRows(map) {
  const batch = window.location.pathname.split("/").pop();
  Promise.all([ready, load(`/towers/imports/${batch}/points.json`)]).then(([, rows]) => {
    const box = L.latLngBounds([]);
    const renderer = L.canvas({ padding: 0.3 });
    for (const { geometry, properties } of rows.features) {
      const place = [geometry.coordinates[1], geometry.coordinates[0]];
      box.extend(place);
      L.circleMarker(place, {
        renderer, radius: properties.verdict === "new" ? 5 : 7, weight: 1.5, color: "#fff",
        fillColor: ROW_COLOURS[properties.verdict], fillOpacity: 0.95,
      }).bindPopup(() => element("div", { class: "popup" }, [
        element("h3", { text: properties.code }),
        element("div", { text: _("Row %(number)s", { number: number(properties.row) }) }),
        element("div", { text: rowTexts()[properties.verdict] }),
      ])).addTo(map);
    }
    if (box.isValid()) map.fitBounds(box, { padding: [24, 24], maxZoom: 14, animate: false });
    if (rows.features.length < rows.total) {
      const note = L.control({ position: "bottomleft" });
      note.onAdd = () => element("div", { class: "status", text: _("%(drawn)s of %(total)s rows are drawn", {
        drawn: number(rows.features.length), total: number(rows.total),
      }) });
      note.addTo(map);
    }
  });
}

export function addOneArea(map) {
  const number = window.location.pathname.split("/").pop();
  Promise.all([ready, load(`/map/areas/${number}.geojson`)]).then(([, collection]) => {
    const layer = L.geoJSON(collection, {
      interactive: false, style: { color: "#0b5cad", weight: 3, fillColor: "#0b5cad", fillOpacity: 0.12 },
    }).addTo(map);
    if (layer.getLayers().length) map.fitBounds(layer.getBounds(), { padding: [20, 20], animate: false });
  });
}

// Campaigns

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

// Drawing an area

const MOST_CORNERS = 200;
const cornersText = (corners) => corners.map(({ lat, lng }) => `${lng.toFixed(5)}_${lat.toFixed(5)}`).join("*");

function drawnBefore() {
  const text = new URLSearchParams(window.location.search).get("area") || "";
  const corners = text.split("*").map((one) => one.split("_").map(Number));
  return corners.every((one) => one.length === 2 && one.every(Number.isFinite))
    ? corners.map(([lng, lat]) => L.latLng(lat, lng)) : [];
}

// A tap or click adds a corner; the first one, or the button, closes the area.
export function addAreaDrawing(map) {
  const style = { color: "#0b5cad", weight: 3, fillColor: "#0b5cad", fillOpacity: 0.12, interactive: false };
  const shown = L.layerGroup().addTo(map);
  let corners = drawnBefore();
  let drawing = false;
  const tell = () => window.parent.postMessage({ area: corners.length ? cornersText(corners) : "" }, window.location.origin);

  ready.then(() => {
    const box = element("div", { class: "status drawing-tools" });
    const control = L.control({ position: "topleft" });
    control.onAdd = () => { L.DomEvent.disableClickPropagation(box); return box; };
    control.addTo(map);

    const button = (text, act, disabled = false) => {
      const made = element("button", { type: "button", text });
      made.disabled = disabled;
      made.addEventListener("click", (event) => {
        // The button is replaced by others: what is no longer there would be a click on the map.
        event.stopPropagation();
        act();
      });
      return made;
    };
    function tools() {
      const parts = [];
      if (drawing) {
        parts.push(element("div", { text: _("Tap the corners of the area, %(number)s so far.", { number: number(corners.length) }) }));
        parts.push(button(_("Finish"), finish, corners.length < 3), button(_("Undo"), undo, !corners.length), button(_("Cancel"), cancel));
      } else {
        parts.push(button(corners.length ? _("Draw another area") : _("Draw an area"), begin));
        if (corners.length) parts.push(button(_("Remove the area"), clear));
      }
      box.replaceChildren(...parts);
    }
    function show() {
      shown.clearLayers();
      if (corners.length > 1) shown.addLayer(drawing ? L.polyline(corners, style) : L.polygon(corners, style));
      if (drawing) {
        corners.forEach((corner, index) => {
          const dot = L.circleMarker(corner, {
            radius: index ? 6 : 10, color: "#fff", weight: 2, fillColor: "#0b5cad", fillOpacity: 1, bubblingMouseEvents: false,
          });
          if (!index) dot.on("click", () => { if (corners.length >= 3) finish(); });
          shown.addLayer(dot);
        });
      }
      map.getContainer().classList.toggle("drawing", drawing);
      if (drawing) map.doubleClickZoom.disable(); else map.doubleClickZoom.enable();
      tools();
    }
    function begin() { corners = []; drawing = true; map.closePopup(); show(); }
    function undo() { corners.pop(); show(); }
    function cancel() { corners = drawnBefore(); drawing = false; show(); }
    function finish() { drawing = false; show(); tell(); }
    function clear() { corners = []; show(); tell(); }
    map.on("click", ({ latlng }) => {
      if (!drawing || corners.length >= MOST_CORNERS) return;
      corners.push(latlng.wrap());
      show();
    });
    show();
  });
}

export function addPlaces(map) {
  const places = new URLSearchParams(window.location.search).getAll("place")
    .map((one) => one.split(",").map(Number))
    .filter(([lat, lon]) => Math.abs(lat) <= 90 && Math.abs(lon) <= 180);
  const towers = L.layerGroup().addTo(map);
  places.forEach((place, index) => {
    const pin = element("div", { class: "place" }, [element("b", { text: places.length > 1 ? String(index + 1) : "" })]);
    L.marker(place, {
      icon: L.divIcon({ html: pin, className: "", iconSize: [26, 26] }), keyboard: false, interactive: false,
      zIndexOffset: 10000,
    }).addTo(map);
  });
  const around = async () => {
    towers.clearLayers();
    // From afar every tower of the province would stand in front of the places.
    if (map.getZoom() < 14) return;
    const bounds = map.getBounds();
    const box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()].map((one) => one.toFixed(6));
    const data = await load(`/map/towers.json?bbox=${box}&zoom=${map.getZoom()}`);
    for (const [id, x, y, condition, late] of data.towers || []) {
      const marker = L.marker([y, x], {
        icon: L.divIcon({ html: sign(condition, late), className: "", iconSize: [24, 24] }),
        alt: conditionTexts()[condition], title: conditionTexts()[condition],
      });
      whenChosen(marker, (byKeyboard) => showTower(map, [y, x], id, byKeyboard));
      towers.addLayer(marker);
    }
  };
  if (!places.length) return;
  map.fitBounds(L.latLngBounds(places), { animate: false, maxZoom: 17, padding: [60, 60] });
  ready.then(() => { map.on("moveend", around); around(); });
}

export function addPicker(map) {
  let mark = null;
  const show = (place) => {
    const icon = L.divIcon({ html: sign("unchecked"), className: "", iconSize: [24, 24] });
    if (mark) mark.setLatLng(place); else mark = L.marker(place, { icon, keyboard: false }).addTo(map);
  };
  map.on("click", ({ latlng }) => {
    const place = latlng.wrap();
    show(place);
    window.parent.postMessage({ lat: place.lat, lon: place.lng }, window.location.origin);
  });
  window.addEventListener("message", (event) => {
    if (event.origin !== window.location.origin) return;
    const { lat, lon } = event.data || {};
    if (!Number.isFinite(lat) || !Number.isFinite(lon)) return;
    show([lat, lon]);
    map.setView([lat, lon], Math.max(map.getZoom(), 14));
  });
  load("/map/extent.json").then(({ box }) => {
    if (box && !mark) map.fitBounds([[box[1], box[0]], [box[3], box[2]]], { animate: false });
    window.parent.postMessage("ready", window.location.origin);
  });
}
