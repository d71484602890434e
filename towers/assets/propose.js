// Where a found tower stands: measured by the phone, picked on the map, or typed.
import { onLocated } from "core/geolocation";
import { ready } from "core/texts";
import { asked, inVn2000 } from "./_vn2000.js";

await ready;
const [field, accuracy, picker, status, papers] = ["#f-position", "#f-accuracy", "#picker", "#located", "#papers"]
  .map((one) => document.querySelector(one));

function take(lat, lon, metres = "") {
  field.value = `${lat.toFixed(6)}, ${lon.toFixed(6)}`;
  accuracy.value = metres;
  status.textContent = metres ? `± ${metres} m` : "";
  inPapers(lat, lon);
}

// As papers have it; what is wrong with it is said there too.
let running = null;
async function inPapers(lat, lon) {
  running?.abort();
  running = new AbortController();
  try {
    const found = await asked(lat, lon, { signal: running.signal });
    papers.replaceChildren(...(found.problems.length ? found.problems : inVn2000(found)).map((text) => {
      const line = document.createElement("div");
      line.textContent = text;
      return line;
    }));
  } catch (error) {
    // The next step says it again.
    if (error.name !== "AbortError") papers.replaceChildren();
  }
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
field.addEventListener("input", () => { accuracy.value = ""; status.textContent = ""; running?.abort(); papers.replaceChildren(); });
