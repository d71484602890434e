// The reader's position, once and only when asked for, in a form: no address keeps it.
import { onLocated } from "core/geolocation";
import { ready } from "core/texts";

await ready;
const form = document.querySelector("#near");
if (navigator.geolocation) {
  form.hidden = false;
  onLocated(form.querySelector("button"), form.querySelector("[role=status]"), ({ latitude, longitude }) => {
    form.elements.lat.value = latitude;
    form.elements.lon.value = longitude;
    form.requestSubmit();
  });
}
