// Files of the reader: read here, drawn here, kept in this browser for this reader, and never sent.
import { createStore, del, entries, set } from "idb-keyval";
import { _, number, ready } from "core/texts";
import { element } from "./_elements.js";
import { MOST_MEGABYTES, read, Unreadable } from "./_geojson.js";

const { L } = window;
const MOST_FILES = 10;
// More names than this at once are read by pointing only.
const MOST_NAMES = 60;
// Told apart by those who see colours otherwise, and by their strokes.
const STYLES = [
  { color: "#7a3e9d" }, { color: "#0072b2", dashArray: "8 5" }, { color: "#005f45", dashArray: "2 5" },
  { color: "#8a3b00", dashArray: "12 4 2 4" }, { color: "#333333", dashArray: "1 7" },
];

const named = (name, text) => `“${name}”: ${text}`;

async function readFile(file) {
  if (file.size > MOST_MEGABYTES * 2 ** 20) throw new Unreadable(_("It is larger than %(most)s MB.", { most: number(MOST_MEGABYTES) }));
  return read(await file.text());
}

function layerOf(features, style) {
  const names = features.filter((one) => one.properties.name).length;
  return L.geoJSON({ type: "FeatureCollection", features }, {
    pane: "own-files",
    style: { weight: 3, fillOpacity: 0.12, fillColor: style.color, ...style },
    pointToLayer: (_feature, place) => L.circleMarker(place, { pane: "own-files", radius: 6 }),
    onEachFeature: ({ properties: { name } }, one) => {
      if (!name) return;
      one.bindTooltip(() => element("span", { text: name }), {
        permanent: names <= MOST_NAMES, sticky: names > MOST_NAMES, direction: "right", className: "own-name",
      });
    },
  });
}

export async function begin(map, reader) {
  await ready;
  const store = createStore(`map-files-${reader}`, "files");
  const mark = `own-files-${reader}`;
  const drawn = new Map();
  map.createPane("own-files").style.zIndex = 450;
  const list = element("ul");
  const told = element("div", { role: "status" });
  const box = element("div", { class: "status own-files" }, [list, told]);
  const panel = L.control({ position: "topleft" });
  panel.onAdd = () => { L.DomEvent.disableClickPropagation(box); L.DomEvent.disableScrollPropagation(box); return box; };

  const say = (lines) => told.replaceChildren(...lines.map((text) => element("p", { text })));
  function refresh() {
    list.replaceChildren(...[...drawn].map(([key, { name, layer, style }]) => {
      const button = (text, act) => {
        const made = element("button", { type: "button", text, "aria-label": `${text}: ${name}` });
        made.addEventListener("click", act);
        return made;
      };
      const key_ = element("i", {});
      key_.style.background = style.color;
      return element("li", {}, [
        key_, element("span", { class: "own-file", text: name, title: name }),
        button(_("Show"), () => look(layer)), button(_("Remove"), () => remove(key)),
      ]);
    }));
    // An element that was removed may be read out no more: what is said stays until the next file.
    if (drawn.size || told.childElementCount) panel.addTo(map); else panel.remove();
  }
  function look(layer) { map.fitBounds(layer.getBounds(), { padding: [30, 30], maxZoom: 15 }); }
  function draw(key, name, features) {
    const used = [...drawn.values()].map(({ style }) => style);
    const style = STYLES.find((one) => !used.includes(one)) || STYLES[drawn.size % STYLES.length];
    const layer = layerOf(features, style).addTo(map);
    drawn.set(key, { name, layer, style });
    return layer;
  }
  async function remove(key) {
    drawn.get(key).layer.remove();
    drawn.delete(key);
    say([]);
    refresh();
    map.getContainer().focus();
    try {
      await del(key, store);
      if (!drawn.size) window.localStorage.removeItem(mark);
    } catch {
      say([_("This browser could not forget the file: clear its data for this site.")]);
      refresh();
    }
  }

  async function take(files) {
    const lines = [];
    let last = null;
    for (const file of files) {
      try {
        if (drawn.size >= MOST_FILES) throw new Unreadable(_("There are %(most)s files already: remove one first.", { most: number(MOST_FILES) }));
        const features = await readFile(file);
        const key = crypto.randomUUID();
        last = draw(key, file.name, features);
        try {
          await set(key, { name: file.name, features, at: Date.now() }, store);
          window.localStorage.setItem(mark, "1");
        } catch {
          lines.push(named(file.name, _("It is drawn, but this browser does not keep it.")));
        }
      } catch (error) {
        lines.push(named(file.name, error instanceof Unreadable ? error.message : _("It could not be read.")));
      }
    }
    say(lines);
    refresh();
    if (last) look(last);
  }

  try {
    const kept = await entries(store);
    for (const [key, { name, features }] of kept.sort(([, one], [, other]) => one.at - other.at)) draw(key, name, features);
  } catch {
    say([_("The files that this browser keeps could not be read.")]);
  }
  refresh();
  return { take };
}
