// Outlines on the screen, in pixels: what a hand has drawn becomes an area of few corners.
const { L } = window;

const area = (ring) => ring.reduce((sum, { x, y }, index) => {
  const next = ring[(index + 1) % ring.length];
  return sum + x * next.y - next.x * y;
}, 0) / 2;

// Where two stretches cross, null where they do not; to share an end is not to cross.
function crossing(a, b, c, d) {
  const [ab, cd] = [b.subtract(a), d.subtract(c)];
  const turn = ab.x * cd.y - ab.y * cd.x;
  if (!turn) return null;
  const ac = c.subtract(a);
  const along = (ac.x * cd.y - ac.y * cd.x) / turn;
  const across = (ac.x * ab.y - ac.y * ab.x) / turn;
  return along > 0 && along < 1 && across > 0 && across < 1 ? a.add(ab.multiplyBy(along)) : null;
}

// The first crossing of a ring with itself: its place, and behind which corners it lies.
function firstCrossing(ring) {
  const at = (index) => ring[index % ring.length];
  for (let first = 0; first < ring.length; first += 1) {
    for (let second = first + 2; second < ring.length; second += 1) {
      const place = crossing(at(first), at(first + 1), at(second), at(second + 1));
      if (place) return { place, first, second };
    }
  }
  return null;
}

export const crossesItself = (ring) => firstCrossing(ring) !== null;

// A ring that crosses itself falls into two loops there; the greater one is what was meant.
function uncrossed(ring) {
  let whole = ring;
  for (let found = firstCrossing(whole); found; found = firstCrossing(whole)) {
    const { place, first, second } = found;
    const loop = [place, ...whole.slice(first + 1, second + 1)];
    const rest = [place, ...whole.slice(second + 1), ...whole.slice(0, first + 1)];
    whole = Math.abs(area(loop)) > Math.abs(area(rest)) ? loop : rest;
  }
  return whole;
}

// What a hand has drawn as a ring of at most so many corners that nowhere crosses itself; empty
// where it is too small to be an area.
export function ringOf(points, most) {
  let tolerance = 2;
  let ring = uncrossed(L.LineUtil.simplify(points, tolerance));
  while (ring.length > most) {
    tolerance *= 1.5;
    ring = uncrossed(L.LineUtil.simplify(points, tolerance));
  }
  return ring.length > 2 && Math.abs(area(ring)) > 100 ? ring : [];
}
