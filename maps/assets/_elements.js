// Elements of the map documents. Every text from data is set with textContent; nothing is ever parsed
// as markup.
import { dist } from "core/dist";
import { held } from "core/held";
import { _ } from "core/texts";

const { L } = window;
const SVG = "http://www.w3.org/2000/svg";
export const language = document.documentElement.lang || "vi";

export function element(name, properties = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "text") made.textContent = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function drawing(name, attributes, children = []) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export async function load(address, options) {
  const kept = held(address);
  if (kept) return kept;
  const answer = await fetch(address, { headers: { Accept: "application/json" }, ...options });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

// A script that is loaded only where it is needed.
export const script = (name) => import(`${dist}/maps-${name}.js`);

export function statusControl(map, position = "topleft") {
  const box = element("div", { class: "status", role: "status", hidden: "" });
  const control = L.control({ position });
  control.onAdd = () => box;
  control.addTo(map);
  return (text, retry) => {
    box.replaceChildren();
    box.hidden = !text;
    if (!text) return;
    box.append(text);
    if (retry) {
      const button = element("button", { type: "button", text: _("Try again") });
      button.addEventListener("click", retry);
      box.append(" ", button);
    }
  };
}

// What is looked at and a little around it, as an address has it.
export function boxText(map) {
  const bounds = map.getBounds().pad(0.1);
  const limited = (value) => Math.max(-720, Math.min(720, value)).toFixed(6);
  return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()].map(limited).join(",");
}
