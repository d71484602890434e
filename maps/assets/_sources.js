// Where what is drawn comes from: one line in the corner, each source once.
import { element } from "./_elements.js";

const { L } = window;
const boxes = new WeakMap();

// Say a source; the answer takes it away again.
export function saySource(map, text) {
  if (!boxes.has(map)) {
    const control = L.control({ position: "bottomright" });
    const box = element("div", { class: "sources" });
    control.onAdd = () => box;
    control.addTo(map);
    boxes.set(map, box);
  }
  const said = element("span", { text });
  boxes.get(map).append(said);
  return () => said.remove();
}
