// Where a found tower stands: measured by the phone, picked on the map, or typed.
import { onLocated } from "core/geolocation";
import { ready } from "core/texts";

await ready;
const [field, accuracy, picker, status] = ["#f-position", "#f-accuracy", "#picker", "#located"]
  .map((one) => document.querySelector(one));

function take(lat, lon, metres = "") {
  field.value = `${lat.toFixed(6)}, ${lon.toFixed(6)}`;
  accuracy.value = metres;
  status.textContent = metres ? `± ${metres} m` : "";
}

onLocated(document.querySelector("#locate"), status, ({ latitude, longitude, accuracy: metres }) => {
  take(latitude, longitude, Math.round(metres));
  picker.contentWindow.postMessage({ lat: latitude, lon: longitude }, window.location.origin);
});

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== picker.contentWindow) return;
  const { lat, lon } = event.data || {};
  if (Number.isFinite(lat) && Number.isFinite(lon)) take(lat, lon);
});

// What was typed was not measured.
field.addEventListener("input", () => { accuracy.value = ""; status.textContent = ""; });
