// An area that is drawn on the map.
import { _, number, ready } from "core/texts";
import { element } from "./_elements.js";

const { L } = window;

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
  const style = { className: "chosen-area", weight: 3, interactive: false };
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
