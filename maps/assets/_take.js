// What is taken along shows what is looked at: the address of the page knows where and how near.
const frame = document.querySelector("#map");
const PIXELS = 256;

// West, south, east, north of the view in degrees, `null` before the map has come to stand.
function viewed() {
  const [, zoom, latitude, longitude] = /^#(\d+)\/(-?[\d.]+)\/(-?[\d.]+)$/.exec(window.location.hash) || [];
  if (!zoom) return null;
  const world = PIXELS * 2 ** Number(zoom);
  const north = Math.asinh(Math.tan(Number(latitude) * Math.PI / 180)) / (2 * Math.PI) * world;
  const [aside, above] = [frame.clientWidth / 2, frame.clientHeight / 2];
  const degrees = (pixels) => Math.atan(Math.sinh(pixels / world * 2 * Math.PI)) * 180 / Math.PI;
  const east = aside / world * 360;
  return [Number(longitude) - east, degrees(north - above), Number(longitude) + east, degrees(north + above)];
}

for (const link of document.querySelectorAll("a[data-view]")) {
  const look = () => {
    const box = viewed();
    if (!box) return;
    const address = new URL(link.href);
    address.searchParams.set("bbox", box.map((one) => one.toFixed(5)).join(","));
    link.href = address;
  };
  for (const event of ["pointerdown", "focus", "click"]) link.addEventListener(event, look);
}
