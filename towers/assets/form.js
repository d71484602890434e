// The form and its map speak of one position: a click fills the fields, typing moves the mark.
const picker = document.querySelector("#picker");
const fields = { latitude: document.querySelector("#f-latitude"), longitude: document.querySelector("#f-longitude") };

function typed() {
  const [lat, lon] = ["latitude", "longitude"].map((name) => Number(fields[name].value.trim().replace(",", ".")));
  const filled = fields.latitude.value.trim() && fields.longitude.value.trim();
  return filled && Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : null;
}

function show() {
  const position = typed();
  if (position) picker.contentWindow.postMessage(position, window.location.origin);
}

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== picker.contentWindow) return;
  if (event.data === "ready") { show(); return; }
  const { lat, lon } = event.data || {};
  if (!Number.isFinite(lat) || !Number.isFinite(lon)) return;
  fields.latitude.value = lat.toFixed(6);
  fields.longitude.value = lon.toFixed(6);
  fields.latitude.dispatchEvent(new Event("input", { bubbles: true }));
});
picker.addEventListener("load", show);
for (const field of Object.values(fields)) field.addEventListener("change", show);
