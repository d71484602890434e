// The device's position, once, with how far it may be off.
import { _ } from "core/texts";

export function onLocated(button, status, use) {
  button.addEventListener("click", () => {
    status.textContent = _("Looking for the position…");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => use(coords),
      () => { status.textContent = _("The position was not found: allow it, or go outside."); },
      { enableHighAccuracy: true, timeout: 20000 },
    );
  });
}
