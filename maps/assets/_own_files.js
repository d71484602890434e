// The reader's own files on the map: a button and a place to drop them. What reads and draws them is
// loaded when there is one.
import { dist } from "core/dist";
import { _, ready } from "core/texts";
import { drawing, element, script, statusControl } from "./_elements.js";

const { L } = window;

export function addOwnFiles(map) {
  const reader = window.frameElement?.dataset.keepsFiles;
  if (!reader) return;
  let files = null;
  ready.then(() => {
    let status = null;
    const open = () => {
      files ??= script("own_files").then(({ begin }) => begin(map, reader));
      files.catch(() => {
        files = null;
        status ??= statusControl(map);
        status(_("This could not be loaded. Try again."), () => { status(""); open(); });
      });
      return files;
    };
    const take = async (list) => {
      const chosen = [...list];
      if (chosen.length) (await open()).take(chosen);
    };
    const input = element("input", { type: "file", accept: ".geojson,.json,application/geo+json,application/json", multiple: "", hidden: "" });
    input.addEventListener("change", async () => { await take(input.files); input.value = ""; });
    const label = _("Draw a GeoJSON file on the map; it stays in this browser");
    const button = element("button", { type: "button", class: "own-files-button", title: label, "aria-label": label }, [
      drawing("svg", { class: "icon", "aria-hidden": "true" }, [drawing("use", { href: `${dist}/icons.svg#upload` })]),
    ]);
    button.addEventListener("click", () => input.click());
    const control = L.control({ position: "topright" });
    control.onAdd = () => {
      const box = element("div", { class: "leaflet-bar" }, [button, input]);
      L.DomEvent.disableClickPropagation(box);
      return box;
    };
    control.addTo(map);
    const whole = map.getContainer();
    const brings = (event) => [...event.dataTransfer.types].includes("Files");
    whole.addEventListener("dragover", (event) => {
      if (!brings(event)) return;
      event.preventDefault();
      whole.classList.add("dropping");
    });
    whole.addEventListener("dragleave", () => whole.classList.remove("dropping"));
    whole.addEventListener("drop", (event) => {
      if (!brings(event)) return;
      event.preventDefault();
      whole.classList.remove("dropping");
      take(event.dataTransfer.files);
    });
    if (window.localStorage.getItem(`own-files-${reader}`)) open();
  });
}
