// Reading a GeoJSON file of somebody: what is drawn of it, or why it is none.
import { _, number } from "core/texts";

export const MOST_MEGABYTES = 5;
const MOST_POSITIONS = 100000;
const MOST_FEATURES = 5000;
const MOST_LETTERS = 200;
// How deep positions lie in the coordinates of each kind.
const DEPTHS = { Point: 0, MultiPoint: 1, LineString: 1, MultiLineString: 2, Polygon: 2, MultiPolygon: 3 };
const LEAST = { LineString: 2, Polygon: 4 };
const NAMES = ["name", "ten", "title", "label", "nhan", "id"];
const DEGREES = /(^|[:/])(CRS84|4326)$/;

export class Unreadable extends Error {}

const refuse = (text) => { throw new Unreadable(text); };
// A key without case and marks.
const bare = (key) => key.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// The name of a feature: a text is drawn as text, whatever it says.
function nameOf(properties, id) {
  const given = Object.fromEntries(Object.entries(isObject(properties) ? properties : {}).map(([key, value]) => [bare(key), value]));
  const found = [...NAMES.map((key) => given[key]), id].find((one) => (typeof one === "string" && one.trim()) || Number.isFinite(one));
  return found === undefined ? "" : String(found).trim().slice(0, MOST_LETTERS);
}

// Positions as [longitude, latitude], lists of them as deep as they should be.
function positions(value, depth, count) {
  if (!Array.isArray(value)) refuse(_("A shape has no coordinates."));
  if (depth) return value.map((one) => positions(one, depth - 1, count));
  const [longitude, latitude] = value;
  if (!Number.isFinite(longitude) || !Number.isFinite(latitude) || Math.abs(longitude) > 360 || Math.abs(latitude) > 90) {
    refuse(_("It has positions that are not degrees, longitude before latitude (WGS 84)."));
  }
  count.positions += 1;
  if (count.positions > MOST_POSITIONS) refuse(_("It has more than %(most)s positions.", { most: number(MOST_POSITIONS) }));
  return [longitude, latitude];
}

function enough({ type, coordinates }) {
  const parts = { LineString: [coordinates], MultiLineString: coordinates, Polygon: coordinates, MultiPolygon: coordinates.flat() }[type];
  const least = LEAST[type.replace("Multi", "")];
  return !parts || (parts.length > 0 && parts.every((part) => part.length >= least));
}

function shapes(geometry, count, depth = 0) {
  if (geometry === null) return [];
  if (!isObject(geometry)) refuse(_("A shape has no coordinates."));
  if (geometry.type === "GeometryCollection" && Array.isArray(geometry.geometries) && depth < 5) {
    return geometry.geometries.flatMap((one) => shapes(one, count, depth + 1));
  }
  if (!Object.hasOwn(DEPTHS, geometry.type)) refuse(_("It has a kind of shape that GeoJSON does not know."));
  const made = { type: geometry.type, coordinates: positions(geometry.coordinates, DEPTHS[geometry.type], count) };
  if (!enough(made)) refuse(_("It has a line or an area with too few positions."));
  return [made];
}

function featuresOf(found) {
  if (found.type === "FeatureCollection" && Array.isArray(found.features)) return found.features;
  if (found.type === "Feature") return [found];
  if (found.type === "GeometryCollection" || Object.hasOwn(DEPTHS, found.type)) return [{ type: "Feature", geometry: found }];
  return refuse(_("It is no GeoJSON."));
}

// The shapes of a text, each with a name or an empty one; throws `Unreadable`, which says why.
export function read(text) {
  let found = null;
  try {
    found = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    refuse(_("It is no GeoJSON."));
  }
  if (!isObject(found)) refuse(_("It is no GeoJSON."));
  const system = found.crs?.properties?.name;
  if (system !== undefined && !DEGREES.test(String(system))) {
    refuse(_("It is in another coordinate system: save it in degrees (WGS 84)."));
  }
  const features = featuresOf(found);
  if (features.length > MOST_FEATURES) refuse(_("It has more than %(most)s features.", { most: number(MOST_FEATURES) }));
  const count = { positions: 0 };
  const drawn = features.flatMap((one) => {
    if (!isObject(one) || one.type !== "Feature") refuse(_("It is no GeoJSON."));
    const name = nameOf(one.properties, one.id);
    return shapes(one.geometry ?? null, count).map((geometry) => ({ type: "Feature", geometry, properties: { name } }));
  });
  if (!count.positions) refuse(_("There is nothing in it that could be drawn."));
  return drawn;
}
