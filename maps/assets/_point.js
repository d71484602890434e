// Where is this? A click with the other button, or a long touch, says the place as papers have it.
import { _, number, ready } from "core/texts";
import { asked, inVn2000 } from "../../towers/assets/_vn2000.js";
import { element } from "./_elements.js";

const { L } = window;

function said(found) {
  if (found.problems.length) return found.problems.map((text) => element("div", { text }));
  const lines = inVn2000(found).map((text) => element("div", { text }));
  lines.push(element("div", { text: found.commune ? _("In %(commune)s", { commune: found.commune }) : _("In no commune of the register") }));
  if (found.nearest) {
    const { code, metres } = found.nearest;
    const link = element("a", { href: `/towers/${encodeURIComponent(code)}`, target: "_top", text: code });
    lines.push(element("div", {}, [`${_("Nearest tower")}: `, link, ` – ${number(metres)} m`]));
  }
  return lines;
}

export function addPoint(map) {
  ready.then(() => map.on("contextmenu", async ({ latlng }) => {
    const { lat, lng } = latlng.wrap();
    const place = `${lat.toFixed(6)}, ${lng.toFixed(6)}`;
    const popup = L.popup({ minWidth: 240, maxWidth: 320 }).setLatLng(latlng);
    const show = (lines) => popup.setContent(element("div", { class: "popup point" }, [
      element("h3", { text: _("This place") }), element("div", { text: `WGS 84: ${place}` }), ...lines,
    ]));
    show([]).openOn(map);
    try {
      show(said(await asked(lat, lng)));
    } catch {
      show([element("div", { text: _("This could not be loaded. Try again.") })]);
    }
  }));
}
