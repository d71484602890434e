// Dark or light: what this reader chose on a map, else as the page around it, else as the system.
import { _, ready } from "core/texts";
import { element } from "./_elements.js";

const { L } = window;
const KEY = "theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

// A browser may refuse to keep anything.
function kept() {
  try { return window.localStorage.getItem(KEY); } catch { return null; }
}
function keep(theme) {
  try { window.localStorage.setItem(KEY, theme); } catch { /* It holds for this map then. */ }
}

function show(theme) {
  if (root.dataset.bsTheme === theme) return;
  root.dataset.bsTheme = theme;
  // What is drawn on canvas takes its colours anew.
  window.dispatchEvent(new Event("themechange"));
}

const around = () => (window.parent === window ? undefined : window.parent.document.documentElement.dataset.bsTheme);
const fitting = () => show(kept() || around() || (system.matches ? "dark" : "light"));

fitting();
system.addEventListener("change", fitting);
// Other maps of this reader follow.
window.addEventListener("storage", (event) => { if (event.key === KEY) fitting(); });

export function addThemeSwitch(map) {
  ready.then(() => {
    const button = element("a", { href: "#", role: "button", class: "theme-switch", text: "◐" });
    const say = () => {
      const text = root.dataset.bsTheme === "dark" ? _("Light map") : _("Dark map");
      button.title = text;
      button.setAttribute("aria-label", text);
    };
    const turn = (event) => {
      event.preventDefault();
      const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
      keep(theme);
      show(theme);
    };
    button.addEventListener("click", turn);
    button.addEventListener("keydown", (event) => { if (event.key === " ") turn(event); });
    window.addEventListener("themechange", say);
    say();
    const control = L.control({ position: "topright" });
    control.onAdd = () => {
      const bar = element("div", { class: "leaflet-bar" }, [button]);
      L.DomEvent.disableClickPropagation(bar);
      return bar;
    };
    control.addTo(map);
  });
}
