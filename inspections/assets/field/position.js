// Where the phone is, how far from a tower and in which direction. Metres and degrees.
const RADIUS_M = 6_371_008.8;
const radians = (degrees) => (degrees * Math.PI) / 180;

// Metres between two places with `latitude` and `longitude`, along a sphere: off by half a per cent
// at most, which no phone's position is exact enough to show.
export function distance(one, other) {
  const [a, b] = [radians(one.latitude), radians(other.latitude)];
  const across = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(radians(other.longitude - one.longitude) / 2) ** 2;
  return 2 * RADIUS_M * Math.asin(Math.min(1, Math.sqrt(across)));
}

// Degrees clockwise from north.
export function bearing(from, to) {
  const [a, b] = [radians(from.latitude), radians(to.latitude)];
  const turn = radians(to.longitude - from.longitude);
  const degrees = Math.atan2(Math.sin(turn) * Math.cos(b), Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(turn)) * (180 / Math.PI);
  return (degrees + 360) % 360;
}

export const POINTS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
export const pointOf = (degrees) => POINTS[Math.round(degrees / 45) % 8];

let last = null;
const listeners = new Set();

// The last known place: `latitude`, `longitude`, `accuracy_m` and `at`; null where nothing is known.
export const here = () => last;

function take({ coords }) {
  last = { latitude: Number(coords.latitude.toFixed(7)), longitude: Number(coords.longitude.toFixed(7)), accuracy_m: Math.round(coords.accuracy), at: Date.now() };
  for (const tell of listeners) tell(last);
}

const OPTIONS = { enableHighAccuracy: true, timeout: 30_000, maximumAge: 15_000 };

// Once, as when a list is opened.
export function locate() {
  return new Promise((done) => {
    if (!navigator.geolocation) { done(null); return; }
    navigator.geolocation.getCurrentPosition((found) => { take(found); done(last); }, () => done(null), OPTIONS);
  });
}

// Follow the phone for as long as somebody stands at a tower; returns how to stop.
export function follow(tell) {
  listeners.add(tell);
  const watch = navigator.geolocation?.watchPosition(take, () => {}, OPTIONS);
  return () => {
    listeners.delete(tell);
    if (watch !== undefined) navigator.geolocation.clearWatch(watch);
  };
}
