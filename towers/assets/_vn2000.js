// A position as papers have it: in the VN-2000 zones of its province, northing before easting.
import { _ } from "core/texts";

// What is known about a position, or what is wrong with it, from the register.
export async function asked(latitude, longitude, options) {
  const query = new URLSearchParams({ srid: "4326", latitude: latitude.toFixed(6), longitude: longitude.toFixed(6) });
  const answer = await fetch(`/towers/new/position.json?${query}`, { headers: { Accept: "application/json" }, ...options });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

export const inVn2000 = ({ vn2000 }) => vn2000.map(({ system, north, east }) => (
  _("%(system)s: X (north) %(north)s · Y (east) %(east)s", { system, north, east })));
