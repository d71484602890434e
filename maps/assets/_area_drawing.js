// An area that is drawn on the map: by its corners, as a box by two of them, or freehand; by mouse,
// by finger or by keyboard.
import { _, number, ready } from "core/texts";
import { element } from "./_elements.js";
import { crossesItself, ringOf } from "./_outlines.js";

const { L } = window;

const MOST_CORNERS = 200;
// A hand that moves less than this has tapped; a corner that is nearer than this is meant again.
const STILL_PIXELS = 8;
const KINDS = ["corners", "box", "freehand"];
const kindTexts = () => ({ corners: _("Corners"), box: _("Box"), freehand: _("Freehand") });
const cornersText = (corners) => corners.map(({ lat, lng }) => `${lng.toFixed(5)}_${lat.toFixed(5)}`).join("*");

function drawnBefore() {
  const text = new URLSearchParams(window.location.search).get("area") || "";
  const corners = text.split("*").map((one) => one.split("_").map(Number));
  return corners.every((one) => one.length === 2 && one.every(Number.isFinite))
    ? corners.map(([lng, lat]) => L.latLng(lat, lng)) : [];
}

function boxOf(one, other) {
  const bounds = L.latLngBounds([one, other]);
  return [bounds.getSouthWest(), bounds.getNorthWest(), bounds.getNorthEast(), bounds.getSouthEast()];
}

// Tells the page around the map the area when it is closed, and an empty text when it is removed.
export function addAreaDrawing(map) {
  const style = { className: "chosen-area", weight: 3, interactive: false };
  const container = map.getContainer();
  map.createPane("drawing").style.zIndex = 640;
  const shown = L.layerGroup().addTo(map);
  const sketch = L.polygon([], { ...style, pane: "drawing", dashArray: "6 5" }).addTo(map);
  let corners = drawnBefore();
  let drawing = false;
  let kind = "corners";
  let stroke = null;
  let said = "";
  const tell = () => window.parent.postMessage({ area: corners.length ? cornersText(corners) : "" }, window.location.origin);
  const pixel = (place) => map.latLngToContainerPoint(place);
  const near = (one, other) => pixel(one).distanceTo(pixel(other)) < STILL_PIXELS;

  ready.then(() => {
    const box = element("div", { class: "status drawing-tools" });
    const control = L.control({ position: "topleft" });
    control.onAdd = () => { L.DomEvent.disableClickPropagation(box); return box; };
    control.addTo(map);

    const button = (text, act, options = {}) => {
      const made = element("button", { type: "button", text });
      made.disabled = Boolean(options.disabled);
      if ("pressed" in options) made.setAttribute("aria-pressed", String(options.pressed));
      made.addEventListener("click", (event) => {
        // The button is replaced by others: what is no longer there would be a click on the map.
        event.stopPropagation();
        act(event.detail === 0);
      });
      return made;
    };
    const hints = () => ({
      corners: _("Tap the corners of the area, %(number)s so far.", { number: number(corners.length) }),
      box: corners.length ? _("Tap the opposite corner.") : _("Tap two opposite corners, or draw from one to the other."),
      freehand: _("Draw round the area without lifting the finger or the mouse button."),
    });
    function tools() {
      const parts = [];
      if (drawing) {
        parts.push(element("div", { class: "kinds", role: "group", "aria-label": _("How the area is drawn") }, KINDS.map((one) => (
          button(kindTexts()[one], (byKeyboard) => begin(one, byKeyboard), { pressed: one === kind })))));
        parts.push(element("div", { role: "status", text: said || hints()[kind] }));
        parts.push(element("div", { class: "by-keyboard", text: _("By keyboard: the arrow keys move the map, Enter sets a corner at the cross and closes the area there the second time, Backspace takes it back, Escape ends.") }));
        if (kind === "corners") parts.push(button(_("Finish"), finish, { disabled: corners.length < 3 }));
        if (kind !== "freehand") parts.push(button(_("Undo"), undo, { disabled: !corners.length }));
        parts.push(button(_("Cancel"), cancel));
      } else {
        parts.push(button(corners.length ? _("Draw another area") : _("Draw an area"), (byKeyboard) => {
          begin(kind, false);
          // By keyboard the kind is chosen first.
          if (byKeyboard) box.querySelector("[aria-pressed=true]").focus();
        }));
        if (corners.length) parts.push(button(_("Remove the area"), clear));
      }
      box.replaceChildren(...parts);
    }
    function show() {
      shown.clearLayers();
      sketch.setLatLngs([]);
      if (corners.length > 1) shown.addLayer(drawing ? L.polyline(corners, style) : L.polygon(corners, style));
      if (drawing) {
        corners.forEach((corner, index) => {
          const dot = L.circleMarker(corner, {
            radius: index ? 6 : 10, color: "#fff", weight: 2, fillColor: "#0b5cad", fillOpacity: 1, bubblingMouseEvents: false, pane: "drawing",
          });
          if (!index) dot.on("click", () => { if (corners.length >= 3) finish(); });
          shown.addLayer(dot);
        });
      }
      const byHand = drawing && kind !== "corners";
      container.classList.toggle("drawing", drawing);
      container.classList.toggle("by-hand", byHand);
      map.doubleClickZoom[drawing ? "disable" : "enable"]();
      map.dragging[byHand ? "disable" : "enable"]();
      tools();
    }
    function begin(how, byKeyboard) {
      [kind, corners, drawing, stroke, said] = [how, [], true, null, ""];
      map.closePopup();
      show();
      if (byKeyboard) container.focus();
    }
    function undo() { corners.pop(); said = ""; show(); }
    function cancel(byKeyboard) {
      [corners, drawing, stroke, said] = [drawnBefore(), false, null, ""];
      show();
      if (byKeyboard) box.querySelector("button").focus();
    }
    function finish() {
      if (kind === "corners" && crossesItself(corners.map(pixel))) {
        said = _("The outline crosses itself: take corners back, or draw it again.");
        show();
        return;
      }
      drawing = false;
      show();
      tell();
    }
    function clear() { corners = []; show(); tell(); }
    function close(ring) {
      corners = ring.map((one) => one.wrap());
      finish();
    }
    function again() { begin(kind, false); said = _("That was too small for an area. Draw it again."); tools(); }
    function opposite(corner) {
      if (near(corners[0], corner)) again(); else close(boxOf(corners[0], corner));
    }
    function addCorner(corner) {
      said = "";
      if (kind === "box" && corners.length) opposite(corner);
      else if (corners.length < MOST_CORNERS) { corners.push(corner.wrap()); show(); }
    }
    map.on("click", ({ latlng }) => { if (drawing && kind === "corners") addCorner(latlng); });

    // Boxes and what is drawn freehand follow the mouse or the finger.
    const place = (event) => map.mouseEventToLatLng(event);
    const byHand = (event) => drawing && kind !== "corners" && !event.target.closest(".leaflet-control");
    container.addEventListener("pointerdown", (event) => {
      // A second finger takes a view nearer: nothing is drawn by that.
      if (!event.isPrimary) { stroke = null; sketch.setLatLngs([]); }
      if (!byHand(event) || !event.isPrimary || event.button) return;
      container.setPointerCapture(event.pointerId);
      stroke = [place(event)];
    });
    container.addEventListener("pointermove", (event) => {
      if (!drawing || !event.isPrimary) return;
      const here = place(event);
      if (kind === "box") {
        const from = corners[0] || stroke?.[0];
        if (from) sketch.setLatLngs(boxOf(from, here));
      } else if (stroke && kind === "freehand") {
        stroke.push(here);
        sketch.setLatLngs(stroke);
      }
    });
    container.addEventListener("pointercancel", () => { stroke = null; sketch.setLatLngs([]); });
    container.addEventListener("pointerup", (event) => {
      if (!stroke || !event.isPrimary) return;
      const [from, here] = [stroke[0], place(event)];
      const points = stroke.map(pixel);
      stroke = null;
      if (kind === "freehand") {
        const ring = ringOf(points, MOST_CORNERS);
        if (ring.length) close(ring.map((one) => map.containerPointToLatLng(one))); else again();
      } else if (corners.length || near(from, here)) addCorner(here);
      else close(boxOf(from, here));
    });

    container.addEventListener("keydown", (event) => {
      if (!drawing) return;
      if (event.key === "Escape") cancel(true);
      if (event.target !== container) return;
      if (event.key === "Backspace") undo();
      if (event.key !== "Enter") return;
      event.preventDefault();
      // Nobody draws freehand by keyboard: its corners are set one by one.
      if (kind === "freehand") begin("corners", true);
      const centre = map.getCenter();
      if (corners.length > 2 && [corners[0], corners.at(-1)].some((one) => near(one, centre))) finish();
      else addCorner(centre);
    });
    show();
  });
}
