// In which order to go round some towers from where one stands: the nearest next, then turned round
// wherever two ways cross.
import { distance } from "./position.js";

const length = (start, way) => way.reduce((sum, one, index) => sum + distance(index ? way[index - 1] : start, one), 0);

export function ordered(start, places) {
  const left = [...places];
  const way = [];
  let at = start;
  while (left.length) {
    let best = 0;
    for (let index = 1; index < left.length; index += 1) {
      if (distance(at, left[index]) < distance(at, left[best])) best = index;
    }
    [at] = left.splice(best, 1);
    way.push(at);
  }
  return untangled(start, way);
}

// Turn stretches round while that makes the way shorter.
function untangled(start, way) {
  let better = true;
  for (let round = 0; better && round < 20; round += 1) {
    better = false;
    for (let from = 0; from < way.length - 1; from += 1) {
      for (let to = from + 1; to < way.length; to += 1) {
        const before = from ? way[from - 1] : start;
        const after = way[to + 1];
        const now = distance(before, way[from]) + (after ? distance(way[to], after) : 0);
        const then = distance(before, way[to]) + (after ? distance(way[from], after) : 0);
        if (then < now - 0.5) {
          way.splice(from, to - from + 1, ...way.slice(from, to + 1).reverse());
          better = true;
        }
      }
    }
  }
  return { way, metres: length(start, way) };
}
